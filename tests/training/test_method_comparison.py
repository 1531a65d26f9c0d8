"""Comparisons of methods: ranking with margins, and real ones on small images."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from cl_core.data.dataset import subset
from cl_core.data.imported import Description, write_imported
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.evaluation.knn import evaluate_knn
from cl_core.networks.embedding import pixel_features
from cl_core.training import method_comparison
from cl_core.training.comparison_state import (
    BRIEF,
    ComparisonConfig,
    ComparisonState,
    Entry,
    checked_config,
    planned_trainings,
    rank_entries,
    read_comparison,
    run_config,
)
from cl_core.training.method_comparison import MethodComparison, evaluated_rows, paired_rows, pairs_found

CPU = torch.device("cpu")


def entry(name: str, *accuracies: float, count: int = 1_000, seed: int = 0) -> Entry:
    """An entry whose seeds answer this fraction of the queries right, at random."""
    generator = torch.Generator().manual_seed(seed)
    right = [(torch.rand(count, generator=generator) < accuracy).int().tolist() for accuracy in accuracies]
    return Entry(name=name, kind="method", right=right)


def test_entries_are_ranked_with_the_interval_of_a_mean() -> None:
    found = rank_entries(
        [entry("worse", 0.3, seed=1), entry("best", 0.8, seed=2), Entry(name="failed", kind="method", problem="x")]
    )
    assert [each.entry.name for each in found] == ["best", "worse"]
    for each in found:
        p = each.entry.score
        assert p == pytest.approx(sum(each.entry.right[0]) / 1_000)
        half = 1.96 * math.sqrt(p * (1 - p) / 1_000)
        assert each.low == pytest.approx(p - half, abs=0.006) and each.high == pytest.approx(p + half, abs=0.006)
    assert (found[0].best, found[1].best) == (1.0, 0.0)
    assert not found[0].tied and not found[1].tied


def test_what_cannot_be_told_apart_is_tied() -> None:
    same = entry("a", 0.5)
    found = rank_entries([same, same.model_copy(update={"name": "b"}), entry("c", 0.52, seed=3)])
    assert sum(each.tied for each in found) == 2
    equal = {each.entry.name: each.best for each in found}
    assert equal["a"] == pytest.approx(equal["b"])
    assert sum(each.best for each in found) == pytest.approx(1)
    # A difference on the same queries counts, however wide both intervals are.
    better = same.model_copy(update={"name": "better", "right": [[max(x, i % 20 == 0) for i, x in enumerate(same.right[0])]]})
    found = rank_entries([same, better])
    assert found[0].entry.name == "better" and not found[1].tied and found[1].high > found[0].low


def test_seeds_that_differ_widen_the_interval() -> None:
    one, three = entry("one", 0.6), entry("three", 0.4, 0.6, 0.8)
    found = {each.entry.name: each for each in rank_entries([one, three])}
    assert found["three"].high - found["three"].low > 2 * (found["one"].high - found["one"].low)
    assert rank_entries([]) == []


def test_a_subset_keeps_splits_and_groups() -> None:
    data = load_dataset("fashion")
    rows = torch.tensor([11_000, 5, 9_999, 10_500, 7])
    part = subset(data, rows)
    assert torch.equal(part.images, data.images[rows]) and torch.equal(part.labels, data.labels[rows])
    assert sorted(part.train.tolist()) == [1, 2, 4] and sorted(part.test.tolist()) == [0, 3]
    assert part.names == [data.names[row] for row in rows]
    emoji = load_dataset("emoji")
    group = (emoji.groups == emoji.groups[emoji.groups.bincount()[emoji.groups].argmax()]).nonzero()[:, 0]
    part = subset(emoji, torch.cat([group, torch.tensor([0])]))
    assert part.groups.unique().tolist() == [0, 1] and int((part.groups == part.groups[0]).sum()) == len(group)


def test_rows_of_the_evaluation() -> None:
    fashion, emoji = load_dataset("fashion"), load_dataset("emoji")
    rows = evaluated_rows(fashion, 500, 200)
    assert (rows < 10_000).sum() == 500 and (rows >= 10_000).sum() == 200
    assert all(45 < count < 95 for count in fashion.labels[rows].bincount().tolist())
    pairs = [(each, paired_rows(each), 500) for each in (emoji, fashion)]
    for data, rows, count in [(emoji, evaluated_rows(emoji, 500, 200), 700), *pairs]:
        assert len(rows) == len(data.groups[rows].unique()) == count


def test_pairs_that_find_each_other() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (F.normalize(torch.randn(20, 4, generator=generator), dim=1) for _ in range(2))
    second[:5] = first[:5]
    expected = [max(range(20), key=lambda j, i=i: float(first[i] @ second[j])) == i for i in range(20)]  # type: ignore[misc]
    assert pairs_found(first, second).tolist() == expected and all(expected[:5])


@pytest.mark.parametrize(
    "changes",
    [{"methods": ()}, {"methods": ("nobody",)}, {"minutes": 0}, {"minutes": 1e9}, {"more": 1}, {"methods": ("pretrained",)}],
)
def test_settings_out_of_range(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ComparisonConfig.model_validate({"dataset": "digits", "methods": ("simclr",), "minutes": 1.0} | changes)
    with pytest.raises(UserError):
        checked_config({"dataset": "digits", "methods": ["simclr"], "minutes": 1.0} | changes)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch of one seed, evaluated on few images."""
    monkeypatch.setattr(method_comparison, "MAX_EPOCHS", 1)
    monkeypatch.setattr(method_comparison, "MAX_SEEDS", 1)
    monkeypatch.setattr(method_comparison, "MEASURED_STEPS", 1)
    monkeypatch.setattr(method_comparison, "PAIRED", 60)
    for name in ("MAX_QUERIES", "MAX_GALLERY", "PROBED_QUERIES", "PROBED_GALLERY"):
        monkeypatch.setattr(method_comparison, name, 200)


@pytest.mark.slow
def test_a_comparison_measures_all_by_one_protocol(brief: None, tmp_path: Path) -> None:
    config = ComparisonConfig(dataset="digits", methods=("simclr", "supcon"), minutes=60, encoder="mlp")
    found = MethodComparison(tmp_path / "c", config, CPU).run()
    assert found.state == "finished" and found.measure == "knn" and (found.queries, found.gallery) == (200, 200)
    assert [each.name for each in found.entries] == ["pixels", "untrained", "simclr", "supcon"]
    assert [each.epochs for each in found.entries] == [0, 0, 1, 1] and not any(each.problem for each in found.entries)
    data = load_dataset("digits")
    evaluated = subset(data, evaluated_rows(data, 200, 200))
    pixels = pixel_features(evaluated.images, 28)
    assert found.entries[0].score == pytest.approx(evaluate_knn(pixels - pixels.mean(0), evaluated, labels_seen=True).accuracy)
    assert all(0 < each.linear <= 1 and each.rank > 1 and 0 <= each.agreement <= 1 for each in found.entries)  # type: ignore[operator]
    assert read_comparison(tmp_path / "c") == found
    assert not (tmp_path / "c" / "runs").exists()
    again = MethodComparison(tmp_path / "c", config, CPU).run()
    assert again.entries == found.entries, "what is there is not computed again"


@pytest.mark.slow
def test_a_stopped_comparison_is_resumed_as_if_it_had_not_stopped(brief: None, tmp_path: Path) -> None:
    config = ComparisonConfig(dataset="digits", methods=("simclr", "moco"), minutes=60, encoder="mlp")
    whole = MethodComparison(tmp_path / "whole", config, CPU).run()
    asked = itertools.count()
    stopped = MethodComparison(tmp_path / "parts", config, CPU, stop=lambda: next(asked) >= 8).run()
    assert stopped.state == "stopped" and len(stopped.entries) < 4
    assert (tmp_path / "parts" / "runs" / "simclr-0" / "run.json").exists(), "in the middle of a training"
    resumed = MethodComparison(tmp_path / "parts", config, CPU).run()
    assert resumed.state == "finished"
    assert {each.name: each.right for each in resumed.entries} == {each.name: each.right for each in whole.entries}
    assert resumed.spent > stopped.spent


@pytest.mark.slow
def test_without_labels_views_look_for_each_other(brief: None, tmp_path: Path, own_cache: Path) -> None:
    digits = load_dataset("digits")
    described = Description(title="x", license="", classes=[], names=["x"] * 120, train=120)
    write_imported("plain", digits.images[:120], torch.full((120,), -1), described)
    found = MethodComparison(tmp_path / "c", ComparisonConfig(dataset="plain", methods=("simclr",), minutes=60), CPU).run()
    assert found.measure == "pairs" and found.queries == 60
    assert all(len(each.right[0]) == 60 and each.linear is None for each in found.entries)
    with pytest.raises(UserError, match="learns from labels"):
        MethodComparison(tmp_path / "d", ComparisonConfig(dataset="plain", methods=("supcon",), minutes=60), CPU)


@pytest.mark.slow
def test_a_run_that_diverges_is_an_entry_with_its_reason(brief: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BRIEF, "cross-entropy", {"lr": 10_000, "optimizer": "sgd", "warmup": 0, "precision": "float32"})
    monkeypatch.setattr(method_comparison, "MAX_EPOCHS", 4)
    config = ComparisonConfig(dataset="digits", methods=("cross-entropy", "supcon"), minutes=60, encoder="mlp")
    found = MethodComparison(tmp_path / "c", config, CPU).run()
    results = {each.name: each for each in found.entries}
    assert "learning rate" in results["cross-entropy"].problem and not results["cross-entropy"].right
    assert results["supcon"].right and found.state == "finished"


def test_epochs_follow_from_the_time_that_is_left(tmp_path: Path) -> None:
    config = ComparisonConfig(dataset="digits", methods=("simclr", "moco"), minutes=2)
    held = MethodComparison(tmp_path / "c", config, CPU, clock=lambda: 0.0)
    held.state.s_per_step = {"simclr": 1.0, "moco": 0.25}
    held.state.entries = [Entry(name="untrained", kind="baseline", seconds=5.0)]
    steps = load_dataset("digits").train.shape[0] // run_config(config, "simclr", 1, 0, load_dataset("digits")).batch_size
    assert held.epochs_of("simclr") == int((120 - 10) / 2 / (1.0 * steps))
    assert held.epochs_of("moco") == int((120 - 10) / 2 / (0.25 * steps))
    held.state.entries.append(Entry(name="simclr", kind="method", right=[[1]], epochs=3))
    assert held.epochs_of("moco") == min(40, int((120 - 5) / 1 / (0.25 * steps)))


def test_damaged_state_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text("{")
    assert read_comparison(tmp_path) is None and read_comparison(tmp_path / "nowhere") is None
    known = ComparisonState(config=ComparisonConfig(dataset="digits", methods=("simclr",), minutes=1))
    (tmp_path / "comparison.json").write_text(known.model_dump_json())
    assert read_comparison(tmp_path) == known
    (tmp_path / "comparison.json").rename(tmp_path / "tournament.json")
    assert read_comparison(tmp_path) == known, "of the first comparisons"


def test_the_plan_divides_the_time() -> None:
    config = ComparisonConfig(dataset="digits", methods=("simclr", "moco"), minutes=10)
    assert planned_trainings(config, {"simclr": 60.0, "moco": 20.0}) == {"simclr": (5, 1), "moco": (15, 1)}
    assert planned_trainings(config, {"simclr": 2.0, "moco": 7.0}) == {"simclr": (40, 3), "moco": (40, 1)}
    assert planned_trainings(config, {"simclr": 1e6, "moco": 1.0}) == {"simclr": (1, 1), "moco": (40, 3)}
