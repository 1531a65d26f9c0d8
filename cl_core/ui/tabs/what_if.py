"""What if one pair of a batch were another: part of the tab Loss."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from cl_core.errors import UserError
from cl_core.explore.batch import Batch, chosen_batch
from cl_core.explore.model import Model
from cl_core.explore.what_if import CHANGES, Change, Outcome, default_pair, what_if
from cl_core.text import text
from cl_core.training.setup import uses_labels
from cl_core.ui.components import image_rows
from cl_core.ui.events import QUICK
from cl_core.ui.names import image_name
from cl_core.ui.neighbors import neighbor_row
from cl_core.ui.page import Page

STATES = ("before", "plain", "changed")
# The pair that is chosen in the matrix comes from the browser.
WITH_CELL = "(...given) => [...given.slice(0, -1), window.contrastiveLink.get('cell') ?? '']"


def chosen_pair(cell: str, batch: Batch, temperature: float, supervised: bool) -> tuple[int, int]:
    """The pair of views that "panel.row.column" names, if they show two images; else `default_pair`."""
    count = len(batch.rows)
    try:
        _, row, column = (int(part) for part in cell.split("."))
    except ValueError:
        row = column = 0
    if max(row, column) < 2 * count and min(row, column) >= 0 and row % count != column % count:
        return row, column
    return default_pair(batch, temperature, supervised)


def show(
    model: Model, loss: str, count: float, seed: float, picked: str, cell: str, *, change: Change
) -> tuple[str, dict[str, Any]]:
    """What a change does to the loss, and to the anchor's neighbors after one step.

    Raises:
        UserError: the model was not trained here, or the loss is that of the worked example.
    """
    if not model.trained_here or loss.startswith("example-"):
        raise UserError("what_if.not_here")
    batch = chosen_batch(model, picked, int(count), int(seed))
    supervised = loss in ("out", "in", "in-sum") or (loss == "own" and uses_labels(model.config))
    row, column = chosen_pair(cell[:50], batch, model.config.temperature, supervised)
    found = what_if(model, batch, row, column, change, supervised)
    names = [image_name(model.dataset, int(batch.rows[each % len(batch.rows)])) for each in (row, column)]
    return _table(found, change, names, supervised), _rows(found, model)


def _table(found: Outcome, change: Change, names: list[str], supervised: bool) -> str:
    lines = [text(f"what_if.change.{change}", anchor=names[0], other=names[1]), ""]
    lines += [f"| | {text('what_if.head.before')} | {text('what_if.head.after')} |", "|---|---|---|"]
    for name in ("cosine", "probability", "row_loss", "loss", "gradient"):
        before, after = (getattr(pair, name) for pair in (found.before, found.after))
        named = text(f"what_if.row.{name}")
        lines.append(f"| {named} | {before:.4f} | {after:.4f} |")
    losses = {name: f"{value:.4f}" for name, value in zip(STATES, found.losses, strict=True)}
    cosines = {f"cosine_{name}": f"{value:.4f}" for name, value in zip(STATES, found.cosines, strict=True)}
    loss = "sup_con" if supervised else "nt_xent"
    by = text(f"what_if.by.{loss}")
    return "\n".join([*lines, "", text("what_if.after_step", **losses, **cosines, by=by)])


def _rows(found: Outcome, model: Model) -> dict[str, Any]:
    rows = [
        neighbor_row(text(f"what_if.state.{state}"), text("what_if.neighbors"), model.dataset, near)
        for state, near in zip(STATES, found.neighbors, strict=True)
    ]
    return {"rows": rows}


def build(page: Page, loss: gr.Dropdown) -> None:
    """Lay out the part; it computes when one of its buttons is pressed."""
    gr.Markdown(text("what_if.about"), elem_classes="summary")
    cell = gr.Textbox("", visible=False)
    with gr.Row():
        buttons = [gr.Button(text(f"what_if.button.{name}"), elem_id=f"what-if-{name}", min_width=200) for name in CHANGES]
    result = gr.Markdown(elem_classes="summary", elem_id="what-if-result")
    near = image_rows(None, elem_id="what-if-neighbors")
    given = [page.model, loss, page.count, page.seed, page.picked, cell]
    for change, button in zip(CHANGES, buttons, strict=True):
        handler = page.handles(partial(show, change=change), given)
        button.click(handler, given, [result, near], js=WITH_CELL, **(QUICK | {"queue": True}))
