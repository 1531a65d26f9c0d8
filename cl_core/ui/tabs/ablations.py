"""Ablations: small runs with one part changed. Guess the effect, then see it."""

from __future__ import annotations

import dataclasses
import json
import statistics
from functools import cache, partial
from typing import Any, Literal

import gradio as gr
import torch

from cl_core.explore.model import Model
from cl_core.explore.model_store import ModelStore
from cl_core.system.paths import ASSETS
from cl_core.text import text, texts
from cl_core.training.setup import uses_labels
from cl_core.ui.components import figure_view, image_rows
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import PRESSED
from cl_core.ui.explanation import explanation
from cl_core.ui.page import Event, Page
from cl_core.ui.tabs.compare import show_query
from cl_core.ui.tabs.curves import lowest_losses, protocols_of

Quantity = Literal["knn", "spread"]
NO_ROWS: dict[str, Any] = {"rows": [], "empty": ""}


@dataclasses.dataclass(frozen=True)
class Ablation:
    """baseline: a run; changed: the same but for one part; quantity: what the reader guesses, in percent."""

    baseline: str
    changed: str
    quantity: Quantity = "knn"


EXPERIMENTS = {
    "no_stop_gradient": Ablation("emoji-simsiam-small", "emoji-simsiam-no-stop-gradient", "spread"),
    "no_predictor": Ablation("emoji-simsiam-small", "emoji-simsiam-no-predictor", "spread"),
    "no_crop": Ablation("emoji-simclr-small", "emoji-simclr-no-crop"),
    "no_jitter": Ablation("emoji-simclr-small", "emoji-simclr-no-jitter"),
    "cold": Ablation("emoji-simclr-small", "emoji-simclr-cold"),
    "hot": Ablation("emoji-simclr-small", "emoji-simclr-hot"),
    "no_false_negatives": Ablation("emoji-simclr-small", "emoji-simclr-no-false-negatives"),
}


@cache
def seed_results() -> dict[str, list[dict[str, float]]]:
    """What the runs reach with three seeds each, in percent (`benchmarks/ablations.py`)."""
    found: dict[str, list[dict[str, float]]] = json.loads((ASSETS / "ablations.json").read_text(encoding="utf-8"))
    return found


@dataclasses.dataclass(frozen=True)
class Measured:
    """Mean and standard deviation over seeds, in percent."""

    mean: float
    deviation: float

    def __str__(self) -> str:
        return f"{self.mean:.1f} ± {self.deviation:.1f}"


def outcome(store: ModelStore, which: str) -> dict[str, Measured]:
    """The quantity for the changed run, its baseline, and the untrained network, by one protocol."""
    experiment = EXPERIMENTS[which]
    labels_seen = any(uses_labels(store.config(name)) for name in (experiment.baseline, experiment.changed))
    quantity = "held_out" if experiment.quantity == "knn" and labels_seen else experiment.quantity

    def measure(name: str, key: str) -> Measured:
        values = [each[key] for each in seed_results()[name]]
        return Measured(statistics.mean(values), statistics.stdev(values))

    return {
        "baseline": measure(experiment.baseline, quantity),
        "changed": measure(experiment.changed, quantity),
        "untrained": measure(experiment.baseline, f"untrained_{quantity}"),
    }


def telling_point(baseline: Model, changed: Model) -> int:
    """The image on the map that shows the damage best: most of its neighbors had its label, and now fewest have."""
    lost = baseline.map_agreement() - changed.map_agreement()
    return int(lost.nan_to_num(-torch.inf).argmax())


def show_question(store: ModelStore, which: str) -> tuple[str, Any, str, dict[str, Any], dict[str, Any]]:
    """The question, with the curves of the reference run; the answer is cleared."""
    experiment = EXPERIMENTS[which]
    quantity = experiment.quantity
    found = outcome(store, which)
    reference = text(f"ablations.reference.{quantity}", baseline=str(found["baseline"]), untrained=str(found["untrained"]))
    slider = gr.update(info=text(f"ablations.guess.{quantity}"))
    question = text(f"ablations.ask.{which}")
    return f"{question} {reference}", slider, "", _curves([store.get(experiment.baseline)]), NO_ROWS


def show_answer(store: ModelStore, which: str, guess: float) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The result beside the guess."""
    experiment, found = EXPERIMENTS[which], outcome(store, which)
    numbers = {key: str(value) for key, value in found.items()}
    off = f"{abs(guess - found['changed'].mean):.0f}"
    result = text("ablations.result", guess=f"{guess:.0f}", off=off, **numbers)
    models = [store.get(name) for name in (experiment.baseline, experiment.changed)]
    parts = ("reference", "changed")
    titles = {model.name: text(f"ablations.row.{part}", name=model.name) for part, model in zip(parts, models, strict=True)}
    near = show_query(models[0], models[1:], telling_point(*models), titles)
    near["gray"] = which == "no_jitter" and all(model.sees_gray for model in models)
    why = text(f"ablations.why.{which}")
    return f"{result}\n\n{why}", _curves(models), near


def _curves(models: list[Model]) -> dict[str, Any]:
    from cl_core.figures.curves import loss_figure, quality_figure

    metrics = {model.name: model.folder.read_metrics() for model in models}
    floors = lowest_losses({model.name: model.config for model in models})
    words = texts("curves.figure")
    quality = quality_figure(metrics, {}, protocols_of(models), words, compact=True)
    return figures_value(loss_figure(metrics, floors, words, compact=True), quality, label=text("ablations.curves_label"))


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
            guess = gr.Slider(0, 100, 50, step=1, label=text("ablations.guess"), info=text("ablations.guess.knn"))
            button = gr.Button(text("ablations.see"), variant="primary")
    page.link("experiment", which)
    page.link("guess", guess)
    asked = gr.Textbox("", visible=False)  # the question on the page

    def ask(name: str, before: str) -> tuple[Any, ...]:
        """A tab that is opened again, or another model, leaves question and answer as they are."""
        return (*show_question(page.store, name), name) if name != before else (gr.skip(),) * 6

    outputs = [question, guess, result, curves, near, asked]
    gr.on([opened, which.change], page.handles(ask), [which, asked], outputs, **PRESSED)
    button.click(page.handles(partial(show_answer, page.store)), [which, guess], [result, curves, near], **PRESSED)
