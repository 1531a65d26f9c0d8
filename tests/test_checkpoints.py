"""What is shipped is whole, small, and better than what it must beat."""

from __future__ import annotations

import pytest

from cl_core.data.dataset import PUBLIC_SIZES
from cl_core.data.registry import load_dataset
from cl_core.evaluation.knn import evaluate_knn
from cl_core.explore.projection import PROJECTORS, cached
from cl_core.networks.methods import TRAINABLE
from cl_core.runs.store import find_run, load_run, run_features, shipped_runs, untrained_like
from cl_core.system.paths import CHECKPOINTS
from cl_core.ui.tabs import ablations
from cl_core.words.evaluation import log_partition_over_contexts
from cl_core.words.folder import open_words, shipped_words
from cl_core.words.maps import MAP_WORDS
from cl_core.words.maps import map_key as word_key
from cl_core.words.similarity import WordSpace

SHIPPED = [folder.name for folder in shipped_runs()]
COLLAPSED = ["emoji-simsiam-no-predictor", "emoji-simsiam-no-stop-gradient"]
EXPERIMENTS = [run for pair in ablations.EXPERIMENTS.values() for run in (pair.baseline, pair.changed)]  # have tests of their own
HEALTHY = [name for name in SHIPPED if name not in [*COLLAPSED, *EXPERIMENTS]]


def test_every_method_is_shipped() -> None:
    configs = {name: find_run(name).read_record().config for name in SHIPPED}
    on = {dataset: {c.method for c in configs.values() if c.dataset == dataset} for dataset in ("emoji", "fashion", "cifar10")}
    assert on["emoji"] == set(TRAINABLE)
    assert on["cifar10"] >= {"simclr", "supcon", "moco", "simsiam", "nce-bank"}
    assert on["fashion"] >= {"supcon", "cross-entropy", "simclr"}
    assert not configs["emoji-simsiam-no-stop-gradient"].stop_gradient
    assert not configs["emoji-simsiam-no-predictor"].predictor


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_run_is_whole(name: str) -> None:
    folder = find_run(name)
    record = folder.read_record()
    assert record.state == "finished"
    assert record.step == record.total_steps
    points = folder.read_metrics()
    assert {"loss", "snapshot"} <= {point["kind"] for point in points} <= {"loss", "snapshot", "checkup"}
    assert points[-1]["step"] == record.total_steps
    snapshots = folder.read_snapshots()
    assert snapshots is not None
    assert len(snapshots.steps) >= (6 if record.config.dataset in PUBLIC_SIZES else 8)  # 60,000 images take a minute each time
    assert snapshots.steps[0] == 0
    assert snapshots.steps[-1] == record.total_steps
    assert not folder.resume_file.exists()
    measured = [point["geometry"]["alignment"] for point in points if point["kind"] == "snapshot"]
    assert None not in measured, "Curves draws alignment at every snapshot"


@pytest.mark.parametrize("name", SHIPPED)
def test_maps_are_computed_ahead(name: str) -> None:
    for run in (load_run(name), untrained_like(load_run(name))):
        assert run.folder.path.parent == CHECKPOINTS
        dataset = run.record.config.dataset
        shown = PUBLIC_SIZES[dataset][1] if dataset in PUBLIC_SIZES else len(load_dataset(dataset).on_map)
        for projector in PROJECTORS:
            points = cached(run.folder.path, f"{dataset}-{run.key}", projector)
            assert points is not None, (run.name, projector)
            assert points.shape == (shown, 2)


def test_models_are_small() -> None:
    for folder in shipped_runs():
        assert folder.model_file.stat().st_size <= 4_000_000, folder.path
    assert sum(file.stat().st_size for file in CHECKPOINTS.rglob("*") if file.is_file()) <= 40_000_000


def test_the_model_of_words() -> None:
    (folder,) = shipped_words()
    assert folder.name == "words-wordnet"
    assert sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file()) <= 6_000_000
    run = open_words(folder)
    record = run.record
    assert (record.state, record.step, record.config.loss) == ("finished", record.total_steps, "nce")
    for projector in PROJECTORS:
        points = cached(folder.path, word_key(run), projector)
        assert points is not None, projector
        assert points.shape == (MAP_WORDS, 2)
    lines = folder.read_metrics()
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.7
    measured = log_partition_over_contexts(run.vectors, run.vocabulary.counts)
    assert measured.mean == pytest.approx(record.metrics["log_z"]["mean"], abs=0.01)  # kept in half precision
    space = WordSpace.of(run.vocabulary, run.vectors)
    for word, expected in (("dog", "hound"), ("red", "yellow"), ("violin", "flute"), ("disease", "infection")):
        assert expected in [answer.word for answer in space.similar(word, 8)]


@pytest.mark.parametrize("name", HEALTHY)
def test_recorded_metrics(name: str) -> None:
    """The loss fell below chance, and kNN beats raw pixels and the untrained network, by one protocol."""
    folder = find_run(name)
    metrics = folder.read_record().metrics
    losses = [point for point in folder.read_metrics() if point["kind"] == "loss"]
    assert losses[-1]["loss"] < losses[-1]["chance"] - 0.7
    assert metrics["knn"]["accuracy"] > metrics["pixels"]["accuracy"] + 0.02
    assert metrics["knn"]["rule"] == metrics["pixels"]["rule"]
    untrained = next(point for point in folder.read_metrics() if point["kind"] == "snapshot")
    assert untrained["step"] == 0
    assert metrics["knn"]["accuracy"] > untrained["knn"]["accuracy"] + 0.02
    assert metrics["health"]["verdict"] == "learning"


@pytest.mark.parametrize("name", COLLAPSED)
def test_a_collapse_shows_in_the_spread_and_not_in_the_loss(name: str) -> None:
    folder = find_run(name)
    losses = [point["loss"] for point in folder.read_metrics() if point["kind"] == "loss"]
    metrics = folder.read_record().metrics
    assert losses[-1] < -0.99
    assert metrics["geometry"]["std"] < 0.1 * metrics["geometry"]["dim"] ** -0.5
    assert metrics["geometry"]["alignment"] < 0.02
    assert metrics["health"]["verdict"] == "collapsed"
    snapshots = folder.read_snapshots()
    assert snapshots is not None
    first, last = (snapshots.embeddings[i].float().std(0).mean() for i in (0, -1))
    assert last < 0.5 * first


@pytest.mark.slow
def test_the_shipped_weights_have_the_recorded_accuracy() -> None:
    run, data = load_run("emoji-simclr"), load_dataset("emoji")
    measured = evaluate_knn(run_features(run, data.images), data)
    assert measured.accuracy == pytest.approx(run.record.metrics["knn"]["accuracy"], abs=0.01)
