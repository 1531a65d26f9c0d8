"""Ablations: small runs with one setting changed. Guess the effect, then see it."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, Literal

import gradio as gr

from cl_core.evaluation.geometry import output_std
from cl_core.evaluation.knn import evaluate_knn
from cl_core.explore.model import MapLayer, Model
from cl_core.explore.model_store import ModelStore
from cl_core.losses.negative_cosine import LOWEST
from cl_core.text import text, texts
from cl_core.training.loop import uses_labels
from cl_core.ui.components import figure_view, image_rows
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.page import Event, Page
from cl_core.ui.tabs.compare import show_query
from cl_core.ui.tabs.curves import protocols_of

Quantity = Literal["knn", "spread"]
NO_FIGURES: dict[str, Any] = {"figures": []}
NO_ROWS: dict[str, Any] = {"rows": [], "empty": ""}


@dataclasses.dataclass(frozen=True)
class Experiment:
    """baseline: a run; changed: the same but for one setting; quantity: what the reader guesses, in percent."""

    baseline: str
    changed: str
    quantity: Quantity = "knn"


EXPERIMENTS = {
    "no_stop_gradient": Experiment("emoji-simsiam-small", "emoji-simsiam-no-stop-gradient", "spread"),
    "no_predictor": Experiment("emoji-simsiam-small", "emoji-simsiam-no-predictor", "spread"),
    "no_crop": Experiment("emoji-simclr-small", "emoji-simclr-no-crop"),
    "no_jitter": Experiment("emoji-simclr-small", "emoji-simclr-no-jitter"),
    "cold": Experiment("emoji-simclr-small", "emoji-simclr-cold"),
    "hot": Experiment("emoji-simclr-small", "emoji-simclr-hot"),
    "no_false_negatives": Experiment("emoji-simclr-small", "emoji-simclr-no-false-negatives"),
}


def percent(model: Model, layer: MapLayer, quantity: Quantity, labels_seen: bool) -> float:
    """kNN accuracy of a run's features, or the spread of its embeddings relative to an even one, in percent."""
    folder = model.folder
    if quantity == "knn":
        if uses_labels(model.config) == labels_seen:  # measured by the same protocol
            measured = [point for point in folder.read_metrics() if point["kind"] == "snapshot"]
            return 100 * measured[0 if layer == "untrained" else -1]["knn"]["accuracy"]
        return 100 * evaluate_knn(model.features(layer), model.dataset, labels_seen=labels_seen).accuracy
    snapshots = folder.read_snapshots()
    assert snapshots is not None
    z = snapshots.embeddings[0 if layer == "untrained" else -1].float()
    return 100 * output_std(z) * z.shape[1] ** 0.5


def outcome(store: ModelStore, which: str) -> dict[str, float]:
    """The quantity for the changed run, its baseline, and the untrained network, by one protocol."""
    experiment = EXPERIMENTS[which]
    baseline, changed = store.get(experiment.baseline), store.get(experiment.changed)
    labels_seen = any(uses_labels(model.config) for model in (baseline, changed))
    measure = partial(percent, quantity=experiment.quantity, labels_seen=labels_seen)
    return {
        "baseline": measure(baseline, "feature"),
        "changed": measure(changed, "feature"),
        "untrained": measure(baseline, "untrained"),
    }


def show_question(store: ModelStore, which: str) -> tuple[str, Any, str, dict[str, Any], dict[str, Any]]:
    """The question; the answer is cleared."""
    quantity = EXPERIMENTS[which].quantity
    found = outcome(store, which)
    reference = text(
        f"ablations.reference.{quantity}", baseline=f"{found['baseline']:.1f}", untrained=f"{found['untrained']:.1f}"
    )
    slider = gr.update(label=text(f"ablations.guess.{quantity}"))
    question = text(f"ablations.ask.{which}")
    return f"{question} {reference}", slider, "", NO_FIGURES, NO_ROWS


def show_answer(store: ModelStore, which: str, guess: float) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The result beside the guess."""
    from cl_core.figures.curves import loss_figure, quality_figure

    experiment, found = EXPERIMENTS[which], outcome(store, which)
    numbers = {key: f"{value:.1f}" for key, value in found.items()}
    result = text("ablations.result", guess=f"{guess:.0f}", off=f"{abs(guess - found['changed']):.0f}", **numbers)
    models = [store.get(name) for name in (experiment.baseline, experiment.changed)]
    metrics = {model.name: model.folder.read_metrics() for model in models}
    floors = {model.name: LOWEST for model in models if model.config.method == "simsiam"}
    words = texts("curves.figure")
    quality = quality_figure(metrics, {}, protocols_of(models), words)
    figures = loss_figure(metrics, floors, words), quality
    curves = figures_value(*figures, label=text("ablations.curves_label"))
    near = show_query(models[0], models[1:], 0)
    why = text(f"ablations.why.{which}")
    return f"{result}\n\n{why}", curves, near


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; the question is drawn when the tab opens, the answer on demand."""
    explanation("ablations", text("ablations.about"))
    here = page.store.names()
    names = [name for name, experiment in EXPERIMENTS.items() if {experiment.baseline, experiment.changed} <= set(here)]
    if not names:
        gr.Markdown(text("ablations.none"))
        return
    listed = [(text(f"ablations.name.{name}"), name) for name in names]
    with gr.Row(elem_classes="panel-row"):
        with gr.Column(scale=1, min_width=320):
            question = gr.Markdown(elem_classes="summary", elem_id="ablations-question")
            result = gr.Markdown(elem_classes="summary", elem_id="ablations-result")
            curves = figure_view(elem_id="ablations-curves")
            near = image_rows(None, elem_id="ablations-neighbors")
        with gr.Column(scale=0, min_width=260, elem_classes="panel beside"):
            which = gr.Radio(listed, value=names[0], label=text("ablations.which"))
            guess = gr.Slider(0, 100, 50, step=1, label=text("ablations.guess.knn"), info=text("ablations.guess_hint"))
            button = gr.Button(text("ablations.see"), variant="primary")
    page.link("experiment", which)
    page.link("guess", guess)
    gr.on(
        [opened, which.change],
        page.handles(partial(show_question, page.store)),
        which,
        [question, guess, result, curves, near],
        **QUICK,
    )
    button.click(
        page.handles(partial(show_answer, page.store)), [which, guess], [result, curves, near], **(QUICK | {"queue": True})
    )
