"""The noise distribution for powers from 0 (uniform) to 1 (word frequencies)."""

from __future__ import annotations

from typing import Any

import gradio as gr
import torch

from cl_core.text import text, texts
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.page import Event, Page
from cl_core.words.explore import WordModel
from cl_core.words.noise import AliasTable
from cl_core.words.vocabulary import noise_distribution

POINTS = 160  # ranks that are drawn, at equal factors
DRAWN = 12  # words drawn as an example


def _ranks(count: int) -> list[int]:
    return sorted({round(count ** (i / (POINTS - 1))) for i in range(POINTS)})


def show(model: WordModel, power: float) -> tuple[dict[str, Any], str]:
    """Both distributions over the rank, and a summary."""
    from cl_core.figures.words import noise_figure

    vocabulary = model.run.vocabulary
    frequency, noise = noise_distribution(vocabulary.counts, 1.0), noise_distribution(vocabulary.counts, float(power))
    ranks = _ranks(len(vocabulary))
    rows = torch.tensor(ranks) - 1
    figure = noise_figure(
        frequency[rows], noise[rows], [vocabulary.words[row] for row in rows], ranks, texts("words.noise.figure")
    )
    drawn = AliasTable(noise).draw(DRAWN, torch.Generator().manual_seed(0))
    last = len(vocabulary) - 1
    summary = text(
        "words.noise.summary",
        power=f"{float(power):.2f}",
        frequent=vocabulary.words[0],
        rare=vocabulary.words[last],
        text_odds=f"{float(frequency[0] / frequency[last]):,.0f}",
        noise_odds=f"{float(noise[0] / noise[last]):,.0f}",
        drawn=", ".join(vocabulary.words[number] for number in drawn.tolist()),
    )
    return figures_value(figure, label=text("words.noise.label")), summary


def build(page: Page, which: gr.Dropdown, opened: Event) -> None:
    """Lay out the tab; it is drawn when its tab opens."""
    explanation("words-noise", text("words.noise.about"))
    power = gr.Slider(0, 1, 0.75, step=0.05, label=text("words.noise.power"), info=text("words.noise.power_hint"))
    page.link("power", power)
    summary = gr.Markdown(elem_classes="summary")
    view = figure_view(elem_id="words-noise")
    gr.on([opened, which.change, power.change], page.handles(show, [which]), [which, power], [view, summary], **QUICK)
