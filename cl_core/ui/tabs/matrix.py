"""The similarity matrix of a batch, untrained beside trained."""

from __future__ import annotations

from typing import Any

import gradio as gr
import torch
from torch import Tensor

from cl_core.data.catalog import instance_rows
from cl_core.data.views import plain_views
from cl_core.methods import Comparison
from cl_core.training.loop import uses_labels
from cl_core.ui import library, pictures
from cl_core.ui.batch import Batch, compare, draw_batch, key_pictures
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import QUICK
from cl_core.ui.notices import noticed
from cl_core.ui.text import text, texts


def cell_roles(comparison: Comparison, batch: Batch, instance_labels: Tensor) -> list[list[str]]:
    """What each cell is to the method, as a key of `roles.`: which kind of column, and its part in the loss."""
    count = len(batch.rows)
    rows, columns = comparison.anatomy.cosines.shape
    row_picture = torch.arange(rows) % count
    roles = []
    for row in range(rows):
        own, label = int(row_picture[row]), int(batch.labels[row_picture[row]])
        line = []
        for column in range(columns):
            kind, number = comparison.kinds[column], int(comparison.ids[column])
            if kind == "view":
                same_picture, same_label = number % count == own, int(batch.labels[number % count]) == label
            elif kind == "class":
                same_picture, same_label = number == label, number == label
            else:
                same_picture = number == int(batch.instances[own])
                same_label = number >= 0 and int(instance_labels[number]) == label
            if bool(comparison.anatomy.positive[row, column]):
                part = "positive" if same_picture else "positive_class"
            elif bool(comparison.anatomy.negative[row, column]):
                part = "negative_class" if same_label else "negative"
            else:
                part = "self" if kind == "view" and number == row else "none"
            line.append(f"{kind}.{part}")
        roles.append(line)
    return roles


def _columns(comparison: Comparison, views: int, stored: list[int], classes: list[str]) -> list[dict[str, Any]]:
    """One a column: its picture among the sprites (-1: none), a caption, and a key that tells equal columns."""
    columns = []
    for kind, number in zip(comparison.kinds, comparison.ids.tolist(), strict=True):
        sprite, caption = -1, ""
        if kind == "view":
            sprite = number
        elif kind == "class":
            caption = classes[number]
        elif number >= 0:
            sprite = views + stored.index(number)
        else:
            caption = text("matrix.random_key")
        columns.append({"sprite": sprite, "caption": caption, "key": f"{kind} {number}"})
    return columns


@noticed
def show(model: str, count: float, seed: float) -> tuple[dict[str, Any], str]:
    """Both matrices as the model's method sees them, and the losses they mean."""
    from cl_core.figures.matrix import similarity_figure

    run, data = library.run(model), library.dataset(model)
    batch = draw_batch(model, int(count), int(seed))
    pair = compare(model, batch, 2 * int(count))
    first_pictures = instance_rows(data, uses_labels(run.record.config))
    stored = sorted(
        {n for c in pair for kind, n in zip(c.kinds, c.ids.tolist(), strict=True) if kind in ("bank", "queue") and n >= 0}
    )
    views = len(batch.views)
    titles = [text("spaces.untrained"), text("spaces.trained")]
    cells = []
    for comparison in pair:
        cells.append(
            {
                "values": [[round(c, 6) for c in row] for row in comparison.anatomy.cosines.tolist()],
                "roles": cell_roles(comparison, batch, data.labels[first_pictures]),
                "columns": _columns(comparison, views, stored, data.classes),
            }
        )
    pictures_shown = [batch.views]
    if stored:
        pictures_shown.append(plain_views(key_pictures(model, torch.tensor(stored)), run.size))
    value = figures_value(
        *(
            similarity_figure(c.anatomy.cosines, c.anatomy.positive, c.anatomy.positive | c.anatomy.negative, title)
            for c, title in zip(pair, titles, strict=True)
        ),
        label=text("matrix.label"),
        card="matrix",
        names=titles,
        cells=cells,
        words=texts("roles"),
        sprites=pictures.sprites(torch.cat(pictures_shown)),
    )
    before, after = (f"{c.anatomy.loss:.2f}" for c in pair)
    method = text(f"methods.{run.record.config.method}", t=f"{run.record.config.temperature:g}")
    return value, text("matrix.summary", method=method, before=before, after=after, chance=f"{pair[1].chance:.2f}")


def build(model: gr.Dropdown, tab: gr.Tab, start: gr.Blocks) -> None:
    """Lay out the view; it is drawn when its tab opens."""
    gr.Markdown(text("matrix.about"), elem_classes="about")
    with gr.Row(elem_classes="tools"):
        count = gr.Slider(4, 32, 16, step=4, label=text("matrix.count"), info=text("matrix.count_hint"), scale=2)
        again = gr.Button(text("matrix.again"), variant="primary", scale=1)
    summary = gr.Markdown(elem_classes="summary")
    view = figure_view(elem_id="matrix-view")
    seed = gr.Number(1, visible=False, precision=0)
    inputs, outputs = [model, count, seed], [view, summary]
    gr.on([tab.select, model.change, count.change], show, inputs, outputs, **QUICK)
    again.click(lambda value: int(value) + 1, seed, seed, **QUICK).then(show, inputs, outputs, **QUICK)
