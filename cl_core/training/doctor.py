"""The training doctor: what happens in a run, whether it will end well, and what to change; from its curve, without labels.

The estimate is learned from small runs with random settings (`assets/doctor/runs.jsonl`, made by `benchmarks.doctor`): which
fraction of them ends with a lower kNN accuracy. Its error comes from runs that it was not fitted on (`report.json` beside it).
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from cl_core.evaluation.geometry import Geometry
from cl_core.networks.methods import METHODS
from cl_core.runs.config import RunConfig
from cl_core.system.paths import ASSETS
from cl_core.training.health import CHANCE_MARGIN, EARLY_EPOCHS, training_verdict
from cl_core.training.setup import uses_labels

FOLDER = ASSETS / "doctor"
EARLY_STEPS = 50  # within which a collapse shows
FALLEN = 0.75  # of its peak: a spread below it is falling, where that of healthy runs rises
NARROW = 0.5  # of an even spread
FLAT = 0.1  # of the dimensions
EASY = 0.05  # of the chance level
PROGRESS = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0)  # of training: for each an estimate is learned
TOLERANCE = 0.03  # snapshots are not exactly there
TREES, LEAF = 400, 2

State = Literal["early", "collapsing", "at_chance", "narrow", "flat", "easy", "well"]
Advice = Literal[
    "stop_gradient", "predictor", "lower_lr", "raise_lr", "lower_temperature", "harder_views", "wait", "continue_training"
]


@dataclasses.dataclass(frozen=True)
class CurvePoint:
    """The learning curve at one snapshot.

    loss: mean of the losses logged since the previous snapshot, in nats; None where none was logged. chance: its chance level.
    """

    step: int
    loss: float | None
    chance: float | None
    geometry: Geometry

    @property
    def spread(self) -> float:
        """Standard deviation of the embeddings over that of an even spread."""
        return self.geometry.std * math.sqrt(self.geometry.dim)

    @property
    def excess(self) -> float:
        """The loss over its chance level, relative to the latter: 0 at chance, negative below it."""
        if self.loss is None or self.chance is None:
            return 0.0
        return (self.loss - self.chance) / max(abs(self.chance), 0.1)


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What the doctor finds.

    Attributes:
        state, advice: keys of texts.
        step: of the last snapshot. progress: fraction of training.
        expected: estimated fraction of the doctor's runs that end lower, 0 to 1; None before there is a curve.
        error: mean absolute error of such estimates at this progress.
    """

    state: State
    advice: Advice
    step: int
    progress: float
    expected: float | None
    error: float | None


def curve_points(metrics: Sequence[dict[str, Any]]) -> list[CurvePoint]:
    """The points of a run's curve, from the points of its `metrics.jsonl`; damaged ones are left out."""
    found, losses, chance = list[CurvePoint](), list[float](), None
    for point in metrics:
        if point["kind"] == "loss":
            losses.append(point["loss"])
            chance = point["chance"]
        elif (geometry := Geometry.from_metrics(point.get("geometry"))) is not None and (
            not found or point["step"] > found[-1].step
        ):
            found.append(CurvePoint(point["step"], sum(losses) / len(losses) if losses else None, chance, geometry))
            losses = []
    return found


def is_collapsing(curve: Sequence[CurvePoint]) -> bool:
    """Whether the spread of the embeddings falls in the first steps; it rises in most runs. Known at `EARLY_STEPS`."""
    early = [each for each in curve if each.step <= EARLY_STEPS]
    peak = max((each.spread for each in early), default=0.0)
    return len(early) > 2 and early[-1].step >= 0.8 * EARLY_STEPS and early[-1].spread < FALLEN * peak


def curve_features(curve: Sequence[CurvePoint], total: int) -> list[float]:
    """Inputs of the estimate, (22,): numbers of the curve up to a tenth of training, and of the curve up to now."""
    until = max(total * PROGRESS[0], curve[2].step if len(curve) > 2 else 0)
    return [*_shape([each for each in curve if each.step <= until], total), *_shape(curve, total)]


def _shape(curve: Sequence[CurvePoint], total: int) -> list[float]:
    """Numbers of the last point and the middle one, and whether the spread has fallen."""
    last, middle = curve[-1], curve[len(curve) // 2]
    geometry = last.geometry
    return [
        last.excess,
        middle.excess,
        last.spread,
        math.log(geometry.effective_rank),
        geometry.effective_rank / geometry.dim,
        geometry.alignment,
        geometry.uniformity,
        middle.geometry.uniformity,
        middle.geometry.alignment,
        last.spread / max(1e-12, *(each.spread for each in curve)),
        last.step / total,  # snapshots are not exactly at a `PROGRESS`
    ]


def diagnose(metrics: Sequence[dict[str, Any]], config: RunConfig, total: int) -> Diagnosis | None:
    """Diagnose a run from its curve so far.

    Args:
        metrics: points of its `metrics.jsonl`. total: steps of the whole training.

    Returns:
        None before the first snapshot after the start.
    """
    curve = curve_points(metrics)
    if len(curve) < 2 or total < 1:
        return None
    last, state = curve[-1], _state(curve, config, total)
    progress = last.step / total
    learned = [each for each in PROGRESS if each <= progress + TOLERANCE]
    # Runs of another encoder rank alike, but reach other levels.
    if not learned or len(curve) < 3 or config.encoder not in {run["config"]["encoder"] for run in reference_runs()}:
        return Diagnosis(state, _advice(state, config), last.step, progress, None, None)
    expected = float(forest_at(learned[-1]).predict([curve_features(curve, total)])[0])
    error = next(each["error"] for each in error_report()["folds"] if each["progress"] == learned[-1])
    return Diagnosis(state, _advice(state, config), last.step, progress, min(1.0, max(0.0, expected)), error)


def _state(curve: Sequence[CurvePoint], config: RunConfig, total: int) -> State:
    last, geometry = curve[-1], curve[-1].geometry
    epoch = last.step * config.epochs / total
    verdict = training_verdict(last.step, last.loss, last.chance or 0.0, geometry, epoch)
    if verdict == "collapsed" or (last.step <= 2 * EARLY_STEPS and is_collapsing(curve)):
        return "collapsing"
    if len(curve) < 3 or verdict == "too early" or last.loss is None or epoch < EARLY_EPOCHS:
        return "early"
    if verdict == "at chance" or last.excess > -CHANCE_MARGIN:
        return "at_chance"
    if last.spread < NARROW:
        return "narrow"
    if geometry.effective_rank < FLAT * geometry.dim:
        return "flat"
    if last.chance and 0 < last.loss < EASY * last.chance and not uses_labels(config):
        return "easy"
    return "well"


def _advice(state: State, config: RunConfig) -> Advice:
    if state == "collapsing" and config.method == "simsiam":
        if not config.stop_gradient:
            return "stop_gradient"
        if not config.predictor:
            return "predictor"
    has_temperature = METHODS[config.method].has_temperature
    if state in ("at_chance", "narrow") and has_temperature and config.temperature > 0.5:
        return "lower_temperature"
    if state == "at_chance" and config.lr < 1e-4:
        return "raise_lr"
    by_state: dict[State, Advice] = {"early": "wait", "easy": "harder_views", "well": "continue_training"}
    return by_state.get(state, "lower_lr")


@functools.cache
def reference_runs() -> list[dict[str, Any]]:
    """The runs that the estimate is learned from: settings, points of the curve, accuracy before and after."""
    return [json.loads(line) for line in (FOLDER / "runs.jsonl").read_text(encoding="utf-8").splitlines()]


@functools.cache
def error_report() -> dict[str, Any]:
    """How well the estimate does on runs it was not fitted on (`benchmarks.doctor`)."""
    found: dict[str, Any] = json.loads((FOLDER / "report.json").read_text(encoding="utf-8"))
    return found


def curve_of(run: dict[str, Any], progress: float) -> list[CurvePoint]:
    """The points of a reference run's curve, up to a fraction of training."""
    until = max(progress * run["total"], run["points"][2]["step"])
    points = [point for point in run["points"] if point["step"] <= until]
    return [CurvePoint(each["step"], each["loss"], each["chance"], Geometry(**each["geometry"])) for each in points]


def gain_ranks(table: Sequence[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What is estimated: the fraction of the runs on the same data set that gain less kNN accuracy, 0 to 1; ties count half."""
    gains = [(run["config"]["dataset"], -1.0 if run["after"] is None else run["after"] - run["before"]) for run in table]
    found = []
    for dataset, gain in gains:
        others = [other for name, other in gains if name == dataset]
        below, equal = sum(other < gain for other in others), sum(other == gain for other in others)
        found.append((below + 0.5 * (equal - 1)) / max(1, len(others) - 1))
    return np.array(found)


def rank_without_gain() -> float:
    """The fraction of the runs that end below their own untrained network, 0 to 1."""
    return sum(run["after"] is None or run["after"] < run["before"] for run in reference_runs()) / len(reference_runs())


def fit_forest(table: Sequence[dict[str, Any]], targets: np.ndarray[Any, Any], progress: float) -> Any:
    """A forest that estimates `targets`, one a run, from the curves up to a fraction of training."""
    from sklearn.ensemble import ExtraTreesRegressor

    rows = [curve_features(curve_of(run, progress), run["total"]) for run in table]
    return ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, random_state=0).fit(rows, targets)


@functools.cache
def forest_at(progress: float) -> Any:
    """The estimate at one of `PROGRESS`, fitted on all runs; takes a second once."""
    return fit_forest(reference_runs(), gain_ranks(reference_runs()), progress)
