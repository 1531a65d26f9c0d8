"""What is shipped is whole, small, and better than what it must beat."""

from __future__ import annotations

import pytest

from cl_core.data.catalog import load_dataset
from cl_core.evaluation.knn import evaluate_knn
from cl_core.maps import map_key
from cl_core.paths import CHECKPOINTS
from cl_core.projection import PROJECTORS, cached
from cl_core.runs import find_run, load_run, run_features, untrained_like

TRAINED = ["emoji-simclr", "fashion-simclr"]


@pytest.mark.parametrize("name", TRAINED)
def test_a_shipped_run_is_whole(name: str) -> None:
    folder = find_run(name)
    record = folder.read_record()
    assert record.state == "finished"
    assert record.step == record.total_steps
    points = folder.read_metrics()
    assert {point["kind"] for point in points} == {"loss", "snapshot"}
    assert points[-1]["step"] == record.total_steps
    snapshots = folder.read_snapshots()
    assert snapshots is not None
    assert len(snapshots.steps) >= 8
    assert snapshots.steps[0] == 0
    assert snapshots.steps[-1] == record.total_steps
    assert not folder.resume_file.exists()


@pytest.mark.parametrize("name", TRAINED)
def test_maps_are_computed_ahead(name: str) -> None:
    for run in (load_run(name), untrained_like(load_run(name))):
        assert run.folder.path.parent == CHECKPOINTS
        data = load_dataset(run.record.config.dataset)
        for projector in PROJECTORS:
            points = cached(run.folder.path, map_key(run, data), projector)
            assert points is not None, (run.name, projector)
            assert points.shape == (len(data.shown), 2)


def test_models_are_small() -> None:
    for file in CHECKPOINTS.rglob("model.safetensors"):
        assert file.stat().st_size <= 4_000_000, file
    assert sum(file.stat().st_size for file in CHECKPOINTS.rglob("*") if file.is_file()) <= 25_000_000


@pytest.mark.parametrize("name", TRAINED)
def test_recorded_figures(name: str) -> None:
    """The loss fell far below chance, and kNN beats raw pixels and the untrained network."""
    folder = find_run(name)
    figures = folder.read_record().figures
    losses = [point for point in folder.read_metrics() if point["kind"] == "loss"]
    assert losses[-1]["loss"] < losses[-1]["chance"] - 2
    assert figures["knn"]["accuracy"] > figures["pixels"]["accuracy"] + 0.02
    untrained = next(point for point in folder.read_metrics() if point["kind"] == "snapshot")
    assert untrained["step"] == 0
    assert figures["knn"]["accuracy"] > untrained["knn"]["accuracy"] + 0.02


def test_the_shipped_weights_have_the_recorded_accuracy() -> None:
    run, data = load_run("emoji-simclr"), load_dataset("emoji")
    measured = evaluate_knn(run_features(run, data.pictures), data)
    assert measured.accuracy == pytest.approx(run.record.figures["knn"]["accuracy"], abs=0.01)
