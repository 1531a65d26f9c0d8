"""Verdicts, and a real collapse, which the loss does not show."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from cl_core.evaluation.geometry import Geometry
from cl_core.runs.folder import RunFolder
from cl_core.text import using_language
from cl_core.training.health import sentence, training_verdict
from cl_core.training.recorder import start
from tests.conftest import SMALL

HEALTHY = Geometry(alignment=0.4, uniformity=-3.5, std=0.088, effective_rank=40, dim=128, images=256)
COLLAPSED = dataclasses.replace(HEALTHY, std=0.001, uniformity=0.0)
CHINESE = {
    "untrained": "尚未训练",
    "at chance": "处于随机水平",
    "learning": "正在学习",
    "collapsed": "已坍缩",
    "diverged": "已发散",
}
LINE = dataclasses.replace(HEALTHY, effective_rank=1.1)


@pytest.mark.parametrize(
    ("step", "loss", "chance", "geometry", "expected"),
    [
        (0, None, 0.0, HEALTHY, "untrained"),
        (50, 5.5, math.log(255), HEALTHY, "at chance"),
        (50, 3.0, math.log(255), HEALTHY, "learning"),
        (50, math.log(255), math.log(255), COLLAPSED, "collapsed"),
        (50, -1.0, 0.0, COLLAPSED, "collapsed"),
        (50, -0.9, 0.0, LINE, "collapsed"),
        (50, -0.8, 0.0, HEALTHY, "learning"),
        (50, 0.0, 0.0, HEALTHY, "at chance"),
        (50, math.nan, 5.0, HEALTHY, "diverged"),
        (50, 3.0, math.log(255), dataclasses.replace(HEALTHY, images=2, effective_rank=1.0), "learning"),  # two points are a line
        (50, -0.9, 0.0, dataclasses.replace(HEALTHY, dim=2, std=0.7, effective_rank=1.998), "learning"),  # a circle
    ],
)
def test_verdicts(step: int, loss: float | None, chance: float, geometry: Geometry, expected: str) -> None:
    verdict = training_verdict(step, loss, chance, geometry)
    assert verdict == expected
    assert sentence(verdict, loss, chance, geometry).startswith("not trained yet" if expected == "untrained" else expected)
    with using_language("zh"):
        chinese = sentence(verdict, loss, chance, geometry)
    names = {
        "untrained": "尚未训练",
        "at chance": "处于随机水平",
        "learning": "正在学习",
        "collapsed": "已坍缩",
        "diverged": "已发散",
    }
    assert chinese.startswith(names[expected])


def test_in_the_first_epoch_it_is_too_early_to_tell() -> None:
    chance = math.log(255)
    assert training_verdict(3, chance, chance, COLLAPSED, 0.4) == training_verdict(3, chance, chance, HEALTHY, 0.4) == "too early"
    assert training_verdict(3, 3.0, chance, HEALTHY, 0.4) == "learning"
    assert training_verdict(3, math.nan, chance, HEALTHY, 0.4) == "diverged"
    assert training_verdict(9, chance, chance, COLLAPSED, 1.0) == "collapsed"
    assert sentence("too early", chance, chance, HEALTHY).startswith("too early to tell: ")


COLLAPSING = SMALL | {
    "method": "simsiam",
    "encoder": "cnn",
    "optimizer": "sgd",
    "lr": 0.1,
    "projection_hidden": 64,
    "projection_dim": 32,
    "batch_size": 64,
    "epochs": 4,
}


def trained(folder: Path, **changes: object) -> RunFolder:
    recorder = start(folder, COLLAPSING | changes, torch.device("cpu"))
    assert recorder is not None
    for _ in recorder.events():
        pass
    return RunFolder(folder)


@pytest.mark.parametrize("switch", ["stop_gradient", "predictor"])
def test_simsiam_without_either_collapses(tmp_path: Path, switch: str) -> None:
    """The loss falls to -1, its minimum, while all images get the same embedding (SimSiam, figure 2)."""
    run = trained(tmp_path / "collapsing", **{switch: False})
    last = [point for point in run.read_metrics() if point["kind"] == "snapshot"][-1]
    loss = [point for point in run.read_metrics() if point["kind"] == "loss"][-1]["loss"]
    assert loss < -0.95
    assert last["geometry"]["std"] < 0.1 / math.sqrt(32)
    assert last["health"]["verdict"] == "collapsed"
    assert "does not show" in run.read_record().metrics["health"]["sentence"]


def test_simsiam_with_both_learns(tmp_path: Path) -> None:
    """The same settings except the switch."""
    run = trained(tmp_path / "healthy")
    last = [point for point in run.read_metrics() if point["kind"] == "snapshot"][-1]
    assert last["health"]["verdict"] == "learning"
    assert last["geometry"]["std"] > 0.5 / math.sqrt(32)
