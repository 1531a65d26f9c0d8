"""Cost of a softmax over all words against NCE, measured on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from cl_core.text import text, texts
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.explanation import explanation
from cl_core.ui.page import Event, Page
from cl_core.words.cost import Cost, measure_cost


def measure(noise_words: float) -> Iterator[tuple[dict[str, Any], str]]:
    """The figure after each size of the vocabulary."""
    from cl_core.figures.words import cost_figure

    done: list[Cost] = []
    for cost in measure_cost(noise_words=int(noise_words)):
        done.append(cost)
        sizes, softmax, nce = [c.vocabulary for c in done], [c.softmax for c in done], [c.nce for c in done]
        figure = cost_figure(sizes, softmax, nce, texts("words.cost.figure"))
        summary = text(
            "words.cost.summary",
            vocabulary=f"{cost.vocabulary:,}",
            softmax=f"{cost.softmax:,.1f}",
            nce=f"{cost.nce:,.1f}",
            ratio=f"{cost.softmax / cost.nce:.1f}",
            growth=f"{cost.softmax / done[0].softmax:.1f}",
            nce_growth=f"{cost.nce / done[0].nce:.1f}",
            times=cost.vocabulary // done[0].vocabulary,
        )
        yield figures_value(figure, label=text("words.cost.label")), summary


def build(page: Page, which: gr.Dropdown, opened: Event) -> None:
    """Lay out the tab; it is measured when its tab opens, and again on demand."""
    explanation("words-cost", text("words.cost.about"))
    with gr.Row(elem_classes="tools"):
        noise_words = gr.Slider(1, 50, 5, step=1, label=text("words.cost.k"), info=text("words.cost.k_hint"))
        again = gr.Button(text("words.cost.again"), variant="primary")
    page.link("k", noise_words)
    summary = gr.Markdown(elem_classes="summary")
    view = figure_view(elem_id="words-cost")
    gr.on(
        [opened, again.click],
        page.handles(measure),
        noise_words,
        [view, summary],
        show_progress="hidden",
        trigger_mode="once",
        concurrency_limit=1,  # two at once would slow each other down
        concurrency_id="cost",
        api_visibility="private",
    )
