"""How training went: loss, chance line, kNN, learning rate."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.losses.negative_cosine import LOWEST
from cl_core.methods import METHODS
from cl_core.training.run_folder import RunRecord
from cl_core.ui import library
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import QUICK
from cl_core.ui.page import Event, Page
from cl_core.ui.text import text, texts


def show(model: str) -> tuple[dict[str, Any], str]:
    """The curves of a run, and the protocol of the accuracy."""
    from cl_core.figures.curves import loss_figure, quality_figure

    folder = library.folder(model)
    record = folder.read_record()
    if not library.trained_here(model):
        return figures_value(label=text("curves.label")), trained_elsewhere(model, record)
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
    )
    if "knn" in record.figures:
        accuracy = f"{record.figures['knn']['accuracy']:.1%}"
        summary += " " + text("curves.knn", knn=accuracy, protocol=record.figures["protocol"])
    health = record.figures.get("health")
    if health:
        geometry = record.figures["geometry"]
        even = f"{geometry['dim'] ** -0.5:.3f}"
        spread = {"std": f"{geometry['std']:.3f}", "even": even, "rank": f"{geometry['effective_rank']:.0f}"}
        summary += "\n\n" + text(f"curves.health.{health['verdict'].replace(' ', '_')}", **spread)
    return value, summary


def trained_elsewhere(model: str, record: RunRecord) -> str:
    """What is known of a public encoder: no curves, but where it comes from and how well its features do here."""
    source, figures = record.figures.get("source", {}), record.figures
    said = text(
        "curves.elsewhere",
        model=model,
        repository=source.get("repository", model),
        commit=source.get("commit", "")[:8],
        licence=source.get("licence", ""),
        millions=f"{source.get('parameters', 0) / 1e6:.1f}",
        size=record.image_size,
    )
    if "knn" not in figures:
        return said
    accuracies = {key: f"{figures[key]['accuracy']:.1%}" for key in ("knn", "pixels")}
    return said + " " + text("curves.elsewhere_knn", **accuracies, protocol=figures["protocol"])


def build(page: Page, shown: Event) -> None:
    """Lay out the view; it is drawn when its tab opens."""
    gr.Markdown(text("curves.about"), elem_classes="about")
    summary = gr.Markdown(elem_classes="summary")
    view = figure_view(elem_id="curves-view")
    shown(page.handles(show), page.model, [view, summary], **QUICK)
