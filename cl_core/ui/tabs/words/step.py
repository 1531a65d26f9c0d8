"""One training step taken apart."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.text import text, texts
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import PRESSED, QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.page import Event, Page
from cl_core.words.anatomy import step_anatomy
from cl_core.words.explore import WordModel

CENTER, CONTEXT = "dog", "cat"


def show(model: WordModel, center: str, context: str, seed: float) -> tuple[dict[str, Any], str]:
    """The k + 1 binary classifications of a pair, and a summary."""
    from cl_core.figures.words import step_figure

    run = model.run
    numbers = [run.vocabulary.index_of(word) for word in (center or CENTER, context or CONTEXT)]
    parts = step_anatomy(run.vectors, run.record.config, run.vocabulary, numbers[0], numbers[1], int(seed))
    groups = (
        {"score": parts.score, "logit": parts.logit},
        {"probability": parts.probability, "contribution": parts.contribution},
        {"push": parts.push},
    )
    figures = [step_figure(parts.words, columns, texts("words.step.figure")) for columns in groups]
    summary = text(
        "words.step.summary",
        center=parts.center,
        context=parts.words[0],
        k=len(parts.words) - 1,
        probability=f"{float(parts.probability[0]):.0%}",
        loss=f"{parts.loss:.2f}",
        positive=f"{float(parts.term[0]):.2f}",
        negative=f"{float(parts.term[1:].sum()):.2f}",
        all=f"{len(run.vocabulary):,}",
    )
    return figures_value(*figures, label=text("words.step.label")), summary


def build(page: Page, which: gr.Dropdown, opened: Event) -> None:
    """Lay out the tab; it is drawn when its tab opens."""
    explanation("words-step", text("words.step.about"))
    with gr.Row(elem_classes="tools"):
        center = gr.Textbox(CENTER, label=text("words.step.center"), info=text("words.step.center_hint"))
        context = gr.Textbox(CONTEXT, label=text("words.step.context"), info=text("words.step.context_hint"))
        again = gr.Button(text("words.step.again"), variant="primary")
    page.link("center", center)
    page.link("context", context)
    summary = gr.Markdown(elem_classes="summary")
    view = figure_view(elem_id="words-step")
    seed = gr.Number(1, visible=False, precision=0)
    draw = page.handles(show, [which])
    inputs, outputs = [which, center, context, seed], [view, summary]
    gr.on([opened, which.change, center.submit, context.submit], draw, inputs, outputs, **PRESSED)
    again.click(lambda value: int(value) + 1, seed, seed, **QUICK).then(draw, inputs, outputs, **PRESSED)
