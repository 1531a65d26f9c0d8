"""What the temperature does: one row of cosines becomes probabilities, a loss, and gradient weights."""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from cl_core.anatomy import nt_xent_anatomy
from cl_core.losses import chance_level, nt_xent
from cl_core.ui import pictures
from cl_core.ui.batch import draw_batch
from cl_core.ui.components import figure_view, log_slider
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import QUICK
from cl_core.ui.page import Page
from cl_core.ui.text import text, texts

PAIRS = 16
LOW, HIGH, START = 0.01, 10.0, 0.2
CURVE = [LOW * (HIGH / LOW) ** (i / 60) for i in range(61)]


def _embeddings(model: str, weights: str, seed: int) -> tuple[Tensor, Tensor]:
    batch = draw_batch(model, PAIRS, seed)
    z1, z2 = (batch.trained if weights == "trained" else batch.untrained).chunk(2)
    return z1, z2


@lru_cache(maxsize=64)
def _losses(model: str, weights: str, seed: int) -> list[float]:
    """The batch's loss at each temperature of the curve."""
    return [nt_xent(*_embeddings(model, weights, seed), t).item() for t in CURVE]


def show(
    model: str, temperature: float, anchor: float, weights: str, seed: float, with_pictures: bool = True
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The anchor's row at one temperature, the batch's loss over all temperatures, and both in words."""
    from cl_core.figures.temperature import loss_over_temperature, row_figure

    temperature = min(max(float(temperature), LOW), HIGH)
    batch = draw_batch(model, PAIRS, int(seed))
    z1, z2 = _embeddings(model, weights, int(seed))
    parts = nt_xent_anatomy(z1, z2, temperature)
    row = int(anchor) - 1
    order = parts.cosines[row].argsort(descending=True)
    order = order[order != row]
    is_positive = parts.positive[row, order]
    probabilities, gradient = parts.probabilities[row, order], parts.gradient[row, order]
    words = texts("temperature.figure")
    items = [
        {
            "sprite": int(view),
            "role": "positive" if positive else "negative",
            "lines": [
                text("temperature.card.cosine", value=f"{float(parts.cosines[row, view]):.3f}"),
                text("temperature.card.probability", value=f"{float(parts.probabilities[row, view]):.2%}"),
                text("temperature.card.gradient", value=f"{float(parts.gradient[row, view]):+.3f}"),
            ],
        }
        for view, positive in zip(order.tolist(), is_positive.tolist(), strict=True)
    ]
    rows = figures_value(
        row_figure(parts.cosines[row, order], probabilities, gradient, is_positive, words),
        label=text("temperature.label"),
        card="row",
        anchor=row,
        items=items,
        words=texts("roles"),
        sprites=pictures.sprites(batch.views) if with_pictures else None,
    )
    curve = figures_value(
        loss_over_temperature(CURVE, _losses(model, weights, int(seed)), temperature, parts.loss, chance_level(PAIRS), words),
        label=text("temperature.curve_label"),
    )
    entropy = -float(torch.special.xlogy(parts.probabilities[row], parts.probabilities[row]).sum())
    summary = text(
        "temperature.summary",
        t=f"{temperature:.3g}",
        p=f"{float(parts.probabilities[row, parts.positive[row]].sum()):.1%}",
        term=f"{float(parts.terms[row]):.2f}",
        loss=f"{parts.loss:.2f}",
        effective=f"{math.exp(entropy):.1f}",
        others=2 * PAIRS - 1,
    )
    return rows, curve, summary


def build(page: Page, tab: gr.Tab) -> None:
    """Lay out the view; it is drawn when its tab opens."""
    gr.Markdown(text("temperature.about"), elem_classes="about")
    with gr.Row(elem_classes="panel-row result-first"):
        with gr.Column(scale=1, min_width=260, elem_classes="panel"):
            anchor = gr.Slider(1, 2 * PAIRS, 1, step=1, label=text("temperature.anchor"), info=text("temperature.anchor_hint"))
            weights = gr.Radio(
                [(text("spaces.trained"), "trained"), (text("spaces.untrained"), "untrained")],
                value="trained",
                label=text("temperature.weights"),
            )
            again = gr.Button(text("matrix.again"), variant="primary")
            summary = gr.Markdown(elem_classes="summary")
        with gr.Column(scale=3, min_width=320):
            slider = log_slider(
                START, LOW, HIGH, text("temperature.slider"), text("temperature.slider_hint"), elem_id="temperature"
            )
            rows = figure_view(elem_id="temperature-view")
            curve = figure_view(elem_id="temperature-curve")
    seed = gr.Number(1, visible=False, precision=0)
    inputs, outputs = [page.model, slider, anchor, weights, seed], [rows, curve, summary]
    draw = page.handles(show)
    gr.on([tab.select, page.model.change, anchor.change, weights.change], draw, inputs, outputs, **QUICK)
    slider.slide(page.handles(partial(show, with_pictures=False)), inputs, outputs, **QUICK)
    again.click(lambda value: int(value) + 1, seed, seed, **QUICK).then(draw, inputs, outputs, **QUICK)
