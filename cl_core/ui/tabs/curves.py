"""How training went: loss, chance line, kNN, learning rate."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.losses.negative_cosine import LOWEST
from cl_core.methods import METHODS
from cl_core.runs import find_run
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import QUICK
from cl_core.ui.page import Event, Page
from cl_core.ui.text import text, texts


def show(model: str) -> tuple[dict[str, Any], str]:
    """The curves of a run, and the protocol of the accuracy."""
    from cl_core.figures.curves import loss_figure, quality_figure

    folder = find_run(model)
    record = folder.read_record()
    baselines = {text("curves.pixels"): record.figures["pixels"]["accuracy"]} if "pixels" in record.figures else {}
    metrics = {model: folder.read_metrics()}
    words = texts("curves.figure")
    floors = {model: LOWEST} if record.config.method == "simsiam" else {}
    figures = loss_figure(metrics, floors, words), quality_figure(metrics, baselines, words)
    value = figures_value(*figures, label=text("curves.label"))
    config = record.config
    summary = text(
        "curves.summary",
        model=model,
        epochs=config.epochs,
        batch=config.batch_size,
        encoder=config.encoder,
        method=config.method,
        temperature=text("curves.temperature", t=f"{config.temperature:g}") if METHODS[config.method].has_temperature else "",
        minutes=f"{record.seconds / 60:.0f}",
        device=record.device,
        knn=f"{record.figures['knn']['accuracy']:.1%}",
        protocol=record.figures["protocol"],
    )
    health = record.figures.get("health")
    if health:
        geometry = record.figures["geometry"]
        even = f"{geometry['dim'] ** -0.5:.3f}"
        spread = {"std": f"{geometry['std']:.3f}", "even": even, "rank": f"{geometry['effective_rank']:.0f}"}
        summary += "\n\n" + text(f"curves.health.{health['verdict'].replace(' ', '_')}", **spread)
    return value, summary


def build(page: Page, shown: Event) -> None:
    """Lay out the view; it is drawn when its tab opens."""
    gr.Markdown(text("curves.about"), elem_classes="about")
    summary = gr.Markdown(elem_classes="summary")
    view = figure_view(elem_id="curves-view")
    shown(page.handles(show), page.model, [view, summary], **QUICK)
