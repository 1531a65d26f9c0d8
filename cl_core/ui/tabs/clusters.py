"""Contrastive learning as clustering: k-means and EM step by step, and the same two updates in training."""

from __future__ import annotations

import functools
import itertools
import statistics
from collections.abc import Iterable
from typing import Any, Literal

import gradio as gr
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.data.dataset import spaced
from cl_core.data.registry import load_dataset
from cl_core.evaluation.clustering import kmeans_start, kmeans_steps, mixture_bound, mixture_steps
from cl_core.evaluation.pca import pca
from cl_core.explore.batch_gradients import UpdateLosses, gradient_cosines, measure_updates
from cl_core.explore.model import Model
from cl_core.explore.paradigms import PARADIGMS, paradigm, resumed
from cl_core.runs.config import RunConfig
from cl_core.text import text, texts
from cl_core.training.loop import Training
from cl_core.ui import images
from cl_core.ui.components import cluster_view, figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.explanation import explanation
from cl_core.ui.packing import packed, whole_numbers
from cl_core.ui.page import Event, Page, after_drawing
from cl_core.ui.tabs.map import names_file

Kind = Literal["kmeans", "mixture"]
KINDS: tuple[Kind, ...] = ("kmeans", "mixture")
MIN_CLUSTERS, MAX_CLUSTERS, CLUSTERS = 2, 10, 8  # clusters
ROUNDS = 20  # at most that are shown
MAX_IMAGES = 5_000  # images
DIMENSIONS = 8  # of the principal components that a mixture is fitted to
SEEDS = 1_000
UPDATES, BATCHES = 8, 58  # two epochs


def show(model: Model, kind: Kind, clusters: float, seed: float) -> dict[str, Any]:
    """The steps of k-means or EM on the features of the images on the map."""
    data, rows = model.dataset, model.dataset.on_map
    chosen = spaced(torch.arange(len(rows)), MAX_IMAGES)
    features, count = model.map_features()[chosen], min(int(clusters), len(chosen))
    steps = [*(_kmeans if kind == "kmeans" else _mixture)(features, count, int(seed) % SEEDS)]
    agreement = None
    if data.labeled:
        from sklearn.metrics import normalized_mutual_info_score

        last = torch.from_numpy(steps[-1][2]).argmax(1)
        agreement = float(normalized_mutual_info_score(data.labels[rows[chosen]], last))
    return {
        "sprites": images.cached_sprites(data, rows[chosen]),
        "names": names_file(data, rows[chosen]),
        "count": len(features),
        "clusters": count,
        "kind": kind,
        "points": packed(whole_numbers(model.map_points("tsne")[chosen]), np.int16),
        "steps": [
            {"kind": move, "objective": objective, "responsibilities": _bytes(weights), "nearest": packed(nearest, np.int16)}
            for move, objective, weights, nearest in steps
        ],
        "agreement": agreement,
        "cut": len(steps) >= 2 * ROUNDS - 1,
    }


# The move, the objective, responsibilities (N, K), and the point nearest to each center (K,).
Shown = tuple[Literal["expect", "maximize"], float, "np.ndarray[Any, Any]", Tensor]


def _kmeans(features: Tensor, clusters: int, seed: int) -> Iterable[Shown]:
    for step in itertools.islice(kmeans_steps(features, kmeans_start(features, clusters, seed)), 2 * ROUNDS):
        move: Literal["expect", "maximize"] = "expect" if step.kind == "assign" else "maximize"
        weights = F.one_hot(step.assignment, clusters).numpy()
        yield move, step.inertia / len(features), weights, torch.cdist(step.centers, features).argmin(1)


def _mixture(features: Tensor, clusters: int, seed: int) -> Iterable[Shown]:
    points = pca(features, min(DIMENSIONS, features.shape[1])).double()
    first = torch.cdist(points, kmeans_start(points, clusters, seed)).argmin(1)
    steps = mixture_steps(points, F.one_hot(first, clusters).double(), rounds=ROUNDS)
    for step in itertools.islice(steps, 1, None):  # before the first E step there is no likelihood
        nearest = torch.cdist(step.means, points).argmin(1)
        yield step.kind, -mixture_bound(points, step), step.responsibilities.numpy(), nearest


def _bytes(weights: np.ndarray[Any, Any]) -> str:
    return packed(torch.from_numpy(weights).mul(255).round(), np.uint8)


@functools.cache
def measured() -> tuple[list[UpdateLosses], dict[str, list[float]]]:
    """The losses between the two updates of a run with a memory bank, and the agreement of batches before and after training."""
    end_to_end = paradigm("end-to-end")
    config = RunConfig.model_validate(PARADIGMS["end-to-end"])
    untrained = Training(config, load_dataset(config.dataset), torch.device("cpu"))
    states = {"untrained": untrained, "trained": resumed(end_to_end.folder)}
    agreement = {name: gradient_cosines(state, BATCHES).tolist() for name, state in states.items()}
    return measure_updates(resumed(paradigm("memory-bank").folder), UPDATES), agreement


def show_training() -> dict[str, Any]:
    """Figures of `measured`."""
    from cl_core.figures.clusters import agreement_figure, updates_figure

    updates, agreement = measured()
    captions = texts("clusters.figure")
    named = {text(f"spaces.{name}"): cosines for name, cosines in agreement.items()}
    return figures_value(
        updates_figure([(each.start, each.after_weights, each.after_keys) for each in updates], captions),
        agreement_figure(named, captions),
        label=text("clusters.label"),
    )


def training_text() -> str:
    """What the figures show, with their numbers."""
    updates, agreement = measured()
    means = [sum(getattr(each, name) for each in updates) / len(updates) for name in ("start", "after_weights", "after_keys")]
    positive = sum(each > 0 for each in agreement["trained"]) / BATCHES
    return text(
        "clusters.training",
        start=f"{means[0]:.2f}",
        after_weights=f"{means[1]:.2f}",
        after_keys=f"{means[2]:.2f}",
        batches=BATCHES,
        agree=f"{100 * positive:.0f}",
        median=f"{statistics.median(agreement['trained']):.2f}",
        median_untrained=f"{statistics.median(agreement['untrained']):.2f}",
    )


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; what is measured on training comes after the map."""
    explanation("clusters", text("clusters.about"))
    with gr.Row(elem_classes="panel-row"):
        with gr.Column(scale=1, min_width=320):
            view = cluster_view(elem_id="clusters-view")
        with gr.Column(scale=0, min_width=236, elem_classes="panel beside"):
            listed = [(text(f"clusters.kind.{kind}"), kind) for kind in KINDS]
            kind = gr.Radio(listed, value="kmeans", label=text("clusters.algorithm"))
            clusters = gr.Slider(MIN_CLUSTERS, MAX_CLUSTERS, CLUSTERS, step=1, label=text("clusters.count"))
            seed = gr.Number(0, visible=False, precision=0)
            again = gr.Button(text("clusters.again"), variant="primary")
    about = gr.Markdown(elem_classes="summary", elem_id="clusters-training-text")
    training = figure_view(elem_id="clusters-training")
    for name, control in (("algorithm", kind), ("clusters", clusters)):
        page.link(name, control)
    again.click(None, seed, seed, js="(seed) => seed + 1", api_visibility="private")
    triggers = [opened, kind.change, clusters.change, seed.change]
    drawn = page.draws(triggers, show, [page.model, kind, clusters, seed], view, queue=True)
    below = after_drawing(drawn)
    one_at_a_time: dict[str, Any] = {"queue": True, "concurrency_limit": 1, "concurrency_id": "keys"}
    shown = page.draws([below.change], show_training, [], training, **one_at_a_time)
    shown.then(page.handles(training_text), None, about, show_progress="hidden", api_visibility="private")
