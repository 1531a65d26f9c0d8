"""Training curves of the word model."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.text import text, texts
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import PRESSED
from cl_core.ui.explanation import explanation
from cl_core.ui.page import Event, Page
from cl_core.ui.tabs.curves import epochs_text
from cl_core.words.explore import WordModel


def show(model: WordModel) -> tuple[dict[str, Any], str]:
    """The curves and a summary of the run."""
    from cl_core.figures.words import word_curves

    run = model.run
    config, final = run.record.config, run.record.metrics
    metrics = [point for point in run.folder.read_metrics() if point["kind"] == "loss"]
    always_noise = config.noise_words / (config.noise_words + 1)
    value = figures_value(word_curves(metrics, always_noise, texts("words.curves.figure")), label=text("words.curves.label"))
    summary = text(
        "words.curves.summary",
        model=model.name,
        total=f"{run.record.words:,}",
        vocabulary=f"{len(run.vocabulary):,}",
        loss=text(f"words.loss.{config.loss}"),
        k=config.noise_words,
        dim=config.dim,
        window=config.window,
        epochs=epochs_text(config.epochs),
        minutes=f"{run.record.seconds / 60:.0f}",
        device=run.record.device,
    )
    if "log_z" in final:
        found = {"mean": f"{final['log_z']['mean']:+.2f}", "std": f"{final['log_z']['std']:.2f}"}
        summary += " " + text(f"words.log_z.{config.loss}", **found)
    return value, summary


def build(page: Page, which: gr.Dropdown, opened: Event) -> None:
    """Lay out the tab; it is drawn when its tab opens."""
    explanation("words-curves", text("words.curves.about"))
    summary = gr.Markdown(elem_classes="summary")
    view = figure_view(elem_id="words-curves")
    gr.on([opened, which.change], page.handles(show, which), which, [view, summary], **PRESSED)
