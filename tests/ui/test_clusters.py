"""What the tab Clusters gets: the steps of k-means and EM, and what is measured on training."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import numpy as np
import pytest
import torch

from cl_core.evaluation.clustering import kmeans_start, kmeans_steps
from cl_core.explore.model_store import ModelStore
from cl_core.ui.tabs import clusters

MODEL = ModelStore().get("emoji-simclr-small")


def numbers(packed: str, kind: Any) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(packed), kind)


@pytest.mark.parametrize("kind", clusters.KINDS)
def test_the_objective_falls_in_every_step(kind: clusters.Kind) -> None:
    value = clusters.show(MODEL, kind, 5, 3)
    objectives = [step["objective"] for step in value["steps"]]
    assert len(objectives) >= 6 and all(b <= a + 1e-6 for a, b in itertools.pairwise(objectives))
    assert [step["kind"] for step in value["steps"][:4]] == ["expect", "maximize", "expect", "maximize"]
    for step in value["steps"]:
        shares = numbers(step["responsibilities"], np.uint8).reshape(value["count"], 5).astype(int)
        assert np.abs(shares.sum(1) - 255).max() <= 3  # rounded
        assert numbers(step["nearest"], np.int16).max() < value["count"]
    assert 0 < value["agreement"] < 1


def test_kmeans_is_that_of_the_features() -> None:
    value, features = clusters.show(MODEL, "kmeans", 4, 1), MODEL.map_features()
    *_, last = kmeans_steps(features, kmeans_start(features, 4, 1))
    if len(value["steps"]) < 2 * clusters.ROUNDS:
        shown = numbers(value["steps"][-1]["responsibilities"], np.uint8).reshape(-1, 4).argmax(1)
        assert shown.tolist() == last.assignment.tolist()
        assert value["steps"][-1]["objective"] == pytest.approx(last.inertia / len(features), abs=1e-4)
        nearest = numbers(value["steps"][-1]["nearest"], np.int16)
        assert nearest.tolist() == torch.cdist(last.centers, features).argmin(1).tolist()


def test_a_model_of_few_images_has_as_many_clusters_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "MAX_IMAGES", 4)
    value = clusters.show(MODEL, "kmeans", 8, 0)
    assert (value["count"], value["clusters"]) == (4, 4)


def test_other_starting_centers_give_other_clusters() -> None:
    first, second = (clusters.show(MODEL, "kmeans", 6, seed)["steps"][0]["nearest"] for seed in (0, 1))
    assert first != second


def test_the_figures_show_what_was_measured() -> None:
    updates, agreement = clusters.measured()
    value = clusters.show_training()
    bars, histograms = (figure["data"] for figure in value["figures"])
    assert [each.start for each in updates] == pytest.approx(list(bars[0]["y"]))
    assert all(each.after_keys < each.after_weights < each.start for each in updates)
    assert [len(each["x"]) for each in histograms] == [clusters.BATCHES] * 2
    agree = sum(each > 0 for each in agreement["trained"]) / clusters.BATCHES
    assert f"In {100 * agree:.0f} % of them" in clusters.training_text()
