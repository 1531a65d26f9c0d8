"""The similarity matrix of a batch, untrained beside trained."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.anatomy import nt_xent_anatomy
from cl_core.losses import chance_level
from cl_core.ui import library, pictures
from cl_core.ui.batch import draw_batch
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import QUICK
from cl_core.ui.notices import noticed
from cl_core.ui.text import text, texts


@noticed
def show(model: str, count: float, seed: float) -> tuple[dict[str, Any], str]:
    """Both matrices, and the losses they mean."""
    from cl_core.figures.matrix import similarity_figure

    batch = draw_batch(model, int(count), int(seed))
    temperature = library.run(model).record.config.temperature
    pairs = [z.chunk(2) for z in (batch.untrained, batch.trained)]
    anatomies = [nt_xent_anatomy(z1, z2, temperature) for z1, z2 in pairs]
    titles = [text("spaces.untrained"), text("spaces.trained")]
    value = figures_value(
        *(similarity_figure(a.cosines, t) for a, t in zip(anatomies, titles, strict=True)),
        label=text("matrix.label"),
        card="matrix",
        names=titles,
        cosines=[[[round(c, 6) for c in row] for row in a.cosines.tolist()] for a in anatomies],
        words=texts("roles"),
        sprites=pictures.sprites(batch.views),
    )
    losses = [f"{a.loss:.2f}" for a in anatomies]
    chance = f"{chance_level(int(count)):.2f}"
    summary = text("matrix.summary", before=losses[0], after=losses[1], chance=chance, t=f"{temperature:g}", m=2 * int(count))
    return value, summary


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
