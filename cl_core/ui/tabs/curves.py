"""Training curves: loss, chance level, kNN accuracy, learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import gradio as gr

from cl_core.evaluation.knn import KnnResult
from cl_core.explore.model import Model
from cl_core.networks.methods import METHODS
from cl_core.runs.config import RunConfig
from cl_core.runs.record import RunRecord
from cl_core.text import text, texts
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.diagnosis import early_diagnosis
from cl_core.ui.events import QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.page import Event, Page

SPREAD = 0.5  # of an even spread, from which embeddings are called spread out


MAX_CANDIDATES = 1_000_000


def show(model: Model) -> tuple[dict[str, Any], str]:
    """The curves of a run, and the protocol of the accuracy."""
    record = model.record
    if not model.has_training_loss:
        return figures_value(label=text("curves.label")), trained_elsewhere(model)
    metrics = model.folder.read_metrics()
    value = figures_of(model.name, metrics, record)
    config = record.config
    summary = text(
        "curves.summary",
        model=model.name,
        epochs=epochs_text(config.epochs),
        batch=config.batch_size,
        encoder=config.encoder,
        method=config.method,
        temperature=text("curves.temperature", t=f"{model.temperature:.3g}") if model.has_temperature else "",
        minutes=f"{record.seconds / 60:.0f}",
        device=record.device,
    )
    health = health_of(record.metrics) if "health" in record.metrics else ""
    accuracy = ""
    if "knn" in record.metrics:
        percent, beside = f"{record.metrics['knn']['accuracy']:.1%}", _beside(record.metrics, metrics)
        accuracy = text("curves.knn", knn=percent, beside=beside, protocol=_protocol(record.metrics))
    early = early_diagnosis(metrics, config, record.total_steps)
    return value, "\n\n".join(filter(None, [health, summary, accuracy, _chance_text(metrics, config), early]))


def _chance_text(metrics: list[dict[str, Any]], config: RunConfig) -> str:
    """Where the chance level of a softmax over candidates comes from; "" for other losses."""
    chance = next((point["chance"] for point in metrics if point["kind"] == "loss" and point.get("chance")), None)
    if chance is None or chance > math.log(MAX_CANDIDATES) or not METHODS[config.method].has_softmax:
        return ""
    candidates = round(math.exp(chance))
    if not 2 <= candidates <= MAX_CANDIDATES or abs(math.log(candidates) - chance) > 1e-4:  # not the same for every view
        return ""
    in_batch = candidates == 2 * config.batch_size - 1 and config.batch_size != 128
    batch = text("curves.chance_batch") if in_batch else ""
    return text("curves.chance", candidates=f"{candidates:,}", chance=f"{chance:.2f}", batch=batch)


def figures_of(name: str, metrics: list[dict[str, Any]], record: RunRecord) -> dict[str, Any]:
    """The curves of a run, finished or not, as a `figure_view` takes them."""
    from cl_core.figures.curves import loss_figure, quality_figure

    baselines = {text("curves.pixels"): record.metrics["pixels"]["accuracy"]} if "pixels" in record.metrics else {}
    words = texts("curves.figure")
    floors = lowest_losses({name: record.config})
    quality = quality_figure({name: metrics}, baselines, {name: split_text_of(record)}, words)
    figures = loss_figure({name: metrics}, floors, words), quality
    return figures_value(*figures, label=text("curves.label"))


def lowest_losses(configs: dict[str, RunConfig]) -> dict[str, float]:
    """The lower bounds of the losses of some runs, where they are not 0."""
    bounds = {name: METHODS[config.method].lowest_loss for name, config in configs.items()}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def epochs_text(count: int) -> str:
    """A number of epochs with its noun."""
    return text("common.epochs.one") if count == 1 else text("common.epochs.other", count=f"{count:,}")


def protocols_of(models: Sequence[Model]) -> dict[str, str]:
    """How the kNN accuracy of each model was measured, in a few words; "" before it is. Accuracies with equal ones compare."""
    several = len({model.config.dataset for model in models}) > 1
    found = {}
    for model in models:
        protocol = split_text_of(model.record)
        found[model.name] = text("models.group", images=model.config.dataset, protocol=protocol) if several else protocol
    return found


def split_text_of(record: RunRecord) -> str:
    """How the kNN accuracy of a run was measured, in a few words, without its data set; "" before it is."""
    knn = KnnResult.from_metrics(record.metrics.get("knn"))
    return knn.split() if knn else ""


def health_of(point: dict[str, Any], finished: bool = True) -> str:
    """The verdict on a run, from its final metrics or a snapshot, as Markdown."""
    geometry, verdict = point["geometry"], point["health"]["verdict"].replace(" ", "_")
    even = f"{geometry['dim'] ** -0.5:.3f}"
    spread = {"std": f"{geometry['std']:.3f}", "even": even, "rank": f"{geometry['effective_rank']:.0f}"}
    if verdict == "learning" and geometry["std"] < SPREAD * geometry["dim"] ** -0.5:
        return text("curves.narrow", **spread)
    if verdict == "learning" and not finished:
        return text("curves.learning", **spread)
    return text(f"curves.health.{verdict}", **spread)


def trained_elsewhere(model: Model) -> str:
    """A public encoder has no curves: where it comes from, and the accuracy of its features."""
    record, final = model.record, model.metrics
    source = final.get("source", {})
    description = text(
        "curves.elsewhere",
        model=model.name,
        repository=source.get("repository", model.name),
        commit=source.get("commit", "")[:8],
        license=source.get("license", ""),
        millions=f"{source.get('parameters', 0) / 1e6:.1f}",
        size=record.image_size,
    )
    if "knn" not in final:
        return description
    accuracies = {key: f"{final[key]['accuracy']:.1%}" for key in ("knn", "pixels")}
    return description + " " + text("curves.elsewhere_knn", **accuracies, protocol=_protocol(final))


def _beside(metrics: dict[str, Any], points: list[dict[str, Any]]) -> str:
    """The accuracies of raw pixels and of the untrained network, where both were measured."""
    untrained = next((point["knn"]["accuracy"] for point in points if point["step"] == 0 and "knn" in point), None)
    if untrained is None or "pixels" not in metrics:
        return ""
    return text("curves.knn_beside", pixels=f"{metrics['pixels']['accuracy']:.1%}", untrained=f"{untrained:.1%}")


def _protocol(metrics: dict[str, Any]) -> str:
    """The protocol of the kNN accuracy in the page's language; as it was stored where a value is missing."""
    knn = KnnResult.from_metrics(metrics["knn"])
    return knn.protocol() if knn else metrics.get("protocol", "")


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; it is drawn when its tab opens."""
    explanation("curves", text("curves.about"))
    with gr.Row(elem_classes="panel-row"):
        with gr.Column(scale=1, min_width=320):
            view = figure_view(elem_id="curves-view")
        with gr.Column(scale=0, min_width=260, elem_classes="panel beside"):
            summary = gr.Markdown(elem_classes="summary small")
            explanation("curves-geometry", text("curves.geometry_about"))
    opened(page.handles(show, page.model), page.model, [view, summary], **QUICK)
