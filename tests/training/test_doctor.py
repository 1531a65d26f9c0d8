"""The training doctor: readings of a curve, collapse within 50 steps, and what its estimate reaches."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cl_core.data.registry import load_dataset
from cl_core.runs.config import RunConfig
from cl_core.runs.store import find_run, shipped_runs
from cl_core.training.doctor import (
    PROGRESS,
    CurvePoint,
    curve_features,
    curve_of,
    curve_points,
    diagnose,
    error_report,
    gain_ranks,
    is_collapsing,
    reference_runs,
)
from cl_core.training.loop import Checkup, Training
from cl_core.training.setup import monitor_geometry


def geometry(spread: float = 1.0, rank: float = 30.0) -> dict[str, Any]:
    return {"alignment": 0.5, "uniformity": -2.0, "std": spread / 8, "effective_rank": rank, "dim": 64, "images": 256}


def points(*spreads: float, loss: float = 3.0) -> list[dict[str, Any]]:
    """A curve with a snapshot every 10 steps."""
    found: list[dict[str, Any]] = []
    for i, spread in enumerate(spreads):
        if i:
            found.append({"kind": "loss", "step": 10 * i, "loss": loss, "chance": 5.0})
        found.append({"kind": "snapshot", "step": 10 * i, "geometry": geometry(spread)})
    return found


CONFIG = RunConfig(epochs=10, encoder="cnn")


def test_readings_have_the_mean_loss_since_the_one_before() -> None:
    curve = curve_points(
        [
            {"kind": "snapshot", "step": 0, "geometry": geometry()},
            {"kind": "loss", "step": 1, "loss": 4.0, "chance": 5.0},
            {"kind": "loss", "step": 2, "loss": 2.0, "chance": 5.0},
            {"kind": "checkup", "step": 2, "geometry": geometry(0.5)},
            {"kind": "snapshot", "step": 2, "geometry": geometry(0.5)},
            {"kind": "snapshot", "step": 4, "geometry": {"std": 1.0}},
        ]
    )
    assert [each.step for each in curve] == [0, 2]
    assert (curve[0].loss, curve[1].loss) == (None, 3.0)
    assert curve[1].spread == pytest.approx(0.5) and curve[1].excess == pytest.approx(-0.4)


def test_a_falling_spread_is_a_collapse_and_a_rising_one_is_not() -> None:
    assert is_collapsing(curve_points(points(0.2, 0.4, 0.6, 0.5, 0.4, 0.3)))
    assert not is_collapsing(curve_points(points(0.2, 0.4, 0.6, 0.5, 0.5, 0.55)))
    assert not is_collapsing(curve_points(points(0.2, 0.4, 0.6, 0.4)))  # it may rise again until step 50


@pytest.mark.parametrize(
    ("curve", "settings", "state", "advice"),
    [
        (points(0.2, 0.4, 0.6, 0.5, 0.4, 0.3), {"method": "simsiam", "stop_gradient": False}, "collapsing", "stop_gradient"),
        (points(0.2, 0.4, 0.6, 0.5, 0.4, 0.3), {"method": "simsiam", "predictor": False}, "collapsing", "predictor"),
        (points(0.2, 0.4, 0.6, 0.5, 0.4, 0.3), {"lr": 1.0}, "collapsing", "lower_lr"),
        (points(0.2, 0.6, 0.9, loss=5.1), {"lr": 1e-5}, "at_chance", "raise_lr"),
        (points(0.2, 0.3, 0.3), {"temperature": 2.0}, "narrow", "lower_temperature"),
        (points(0.2, 0.6, 0.9, loss=0.1), {}, "easy", "harder_views"),
        (points(0.2, 0.6, 0.9), {}, "well", "continue_training"),
    ],
)
def test_what_happens_and_what_to_change(curve: list[dict[str, Any]], settings: dict[str, Any], state: str, advice: str) -> None:
    found = diagnose(curve, CONFIG.model_copy(update=settings), 100)
    assert found is not None and (found.state, found.advice) == (state, advice)
    assert found.expected is not None and 0 <= found.expected <= 1 and found.error


def test_before_there_is_a_curve_there_is_no_diagnosis() -> None:
    assert diagnose(points(0.2), CONFIG, 100) is None
    first = diagnose(points(0.2, 0.3), CONFIG, 1000)
    assert first is not None and (first.state, first.expected) == ("early", None)
    long = diagnose(points(0.2, 0.3, 0.3, 0.3), CONFIG, 20_000)  # within the first epoch
    assert long is not None and (long.state, long.advice) == ("early", "wait")


def test_a_classifier_may_have_a_low_loss() -> None:
    found = diagnose(points(0.2, 0.6, 0.9, loss=0.1), RunConfig(method="cross-entropy", epochs=10), 100)
    assert found is not None and found.state == "well"


@pytest.mark.parametrize("name", ["emoji-simsiam-no-stop-gradient", "emoji-simsiam-no-predictor", "emoji-simsiam-small"])
def test_a_collapse_is_flagged_within_50_steps(name: str) -> None:
    config = find_run(name).read_record().config.model_copy(update={"seed": 5})  # none of those that ship
    training = Training(config, load_dataset("emoji"), torch.device("cpu"))
    found = [
        CurvePoint(0, None, None, monitor_geometry(training.method, config, training.dataset, training.size, training.device)[0])
    ]
    for event in training.events():
        if isinstance(event, Checkup):
            found.append(CurvePoint(event.step, None, None, event.geometry))
        if training.step >= 50 and isinstance(event, Checkup):
            break
    assert [each.step for each in found] == [0, 10, 20, 30, 40, 50]
    assert is_collapsing(found) == (name != "emoji-simsiam-small")


def test_the_table_has_a_hundred_runs_and_the_report_is_of_it() -> None:
    table, found = reference_runs(), error_report()
    assert len(table) >= 100 and found["runs"] == len(table)
    assert {run["config"]["method"] for run in table} >= {"simclr", "simsiam", "moco", "infonce-bank", "nce-bank"}
    assert [each["progress"] for each in found["folds"]] == list(PROGRESS)
    assert found["folds"][0]["spearman"] > 0.7 and found["folds"][0]["error"] < 0.2
    assert found["flagged"]["worse_than_untrained"] == found["flagged"]["runs"] >= 5
    assert found["flagged"]["collapsed_and_flagged"] == found["flagged"]["collapsed"]


def test_ranks_are_within_each_data_set() -> None:
    table = [
        {"config": {"dataset": dataset}, "before": 0.4, "after": after}
        for dataset, after in (("a", 0.5), ("a", 0.3), ("a", 0.5), ("b", None), ("b", 0.1))
    ]
    assert gain_ranks(table).tolist() == [0.75, 0.0, 0.75, 0.0, 1.0]


def test_the_estimate_tells_good_runs_from_bad_ones() -> None:
    """On the runs it was fitted on; the report has those it was not."""
    table = reference_runs()
    best, worst = (
        sorted(range(len(table)), key=gain_ranks(table).__getitem__, reverse=reverse)[:10] for reverse in (True, False)
    )

    def expected(i: int) -> float:
        from cl_core.training.doctor import forest_at

        return float(forest_at(0.1).predict([curve_features(curve_of(table[i], 0.1), table[i]["total"])])[0])

    assert min(map(expected, best)) > max(map(expected, worst))


def test_each_shipped_run_has_a_diagnosis() -> None:
    for folder in shipped_runs():
        record = folder.read_record()
        if record.total_steps:
            found = diagnose(folder.read_metrics(), record.config, record.total_steps)
            assert found is not None, folder.name
            assert (found.state == "collapsing") == ("no-predictor" in folder.name or "no-stop" in folder.name), folder.name
