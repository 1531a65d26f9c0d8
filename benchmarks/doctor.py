"""Small training runs with random settings, good and bad, from which the training doctor learns (`training.doctor`).

    python -m benchmarks.doctor [--runs 120]

Each run is a line of `assets/doctor/runs.jsonl`: its settings, points of its curve (loss and geometry of the monitor images),
and its kNN accuracy before training, after a tenth of it, and at the end. An interrupted sweep resumes at the next run; 120 take
40 minutes on one core. Then `assets/doctor/report.json` gets what the doctor's estimate reaches on runs it was not fitted on:
those of ten folds, and the shipped runs.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.model_selection import KFold

from cl_core.data.registry import load_dataset
from cl_core.runs.config import RunConfig
from cl_core.runs.events import DivergedError, StepDone
from cl_core.runs.folder import round_floats
from cl_core.runs.store import shipped_runs
from cl_core.system.files import write_json
from cl_core.training.doctor import (
    EARLY_STEPS,
    FOLDER,
    PROGRESS,
    curve_features,
    curve_of,
    curve_points,
    fit_forest,
    forest_at,
    gain_ranks,
    is_collapsing,
    reference_runs,
)
from cl_core.training.loop import Logged, Training
from cl_core.training.setup import monitor_geometry, uses_labels

EARLY = (5, 10, 20, 30, 40, 50)  # steps, besides those of a run with 12 snapshots
SNAPSHOTS = 12
FOLDS = 10
DIGITS = 5  # of the numbers in the table
COLLAPSED = 0.1  # of an even spread, at the end
DATASETS = ("emoji", "fashion")


def settings_of(index: int) -> dict[str, Any]:
    """Random settings; the index is the seed."""
    random_ = random.Random(index)
    pick = random_.choice
    on_fashion = index % 3 == 2
    method = pick(["simclr", "simclr", "simclr", "simsiam", "simsiam", "moco", "infonce-bank", "nce-bank"])
    optimizer = pick(["adamw", "adamw", "adamw", "sgd"])
    return {
        "dataset": "fashion" if on_fashion else "emoji",
        "method": method,
        "encoder": "cnn",
        "image_size": 28 if on_fashion else 32,
        "projection_hidden": 128,
        "projection_dim": pick([16, 64, 128]),
        "projection_last_norm": pick([False, False, True]),
        "temperature": 10 ** random_.uniform(-2, 0.7),
        "stop_gradient": random_.random() > 0.2,
        "predictor": random_.random() > 0.2,
        "negatives": pick([64, 1024]),
        "bank_momentum": pick([0.0, 0.5, 0.9]),
        "key_momentum": pick([0.0, 0.9, 0.99, 0.999]),
        "epochs": pick([4, 8]) if on_fashion else pick([20, 40]),
        "batch_size": pick([64, 128, 256]),
        "optimizer": optimizer,
        "lr": 10 ** (random_.uniform(-3, 0) if optimizer == "sgd" else random_.uniform(-4, -1.5)),
        "weight_decay": pick([0.0, 1e-4, 1e-2]),
        "seed": index,
        "augment": {
            "crop_scale_min": pick([0.08, 0.2, 0.2, 0.5, 1.0]),
            "color_jitter_prob": pick([0.0, 0.8, 0.8]),
            "grayscale_prob": pick([0.0, 0.2]),
            "blur_prob": pick([0.0, 0.3]),
        },
    }


def train(index: int) -> dict[str, Any]:
    """One line of the table."""
    config = RunConfig.model_validate(settings_of(index) | {"snapshots": SNAPSHOTS})
    dataset = load_dataset(config.dataset)
    training = Training(config.model_copy(update={"snapshots": 0}), dataset, torch.device("cpu"))
    squares = {round(training.total * (i / (SNAPSHOTS - 1)) ** 2) for i in range(SNAPSHOTS)}
    line: dict[str, Any] = {"index": index, "total": training.total, "config": settings_of(index)}
    line["before"] = _accuracy(training)
    tenth = None
    points, losses = [_point(training, [])], list[Logged]()
    try:
        for event in training.events():
            if isinstance(event, Logged):
                losses.append(event)
            elif isinstance(event, StepDone) and event.step in {*EARLY, *squares}:
                points.append(_point(training, losses))
                losses = []
                if tenth is None and event.step >= training.total / 10:
                    tenth = _accuracy(training)
        line["after"] = _accuracy(training)
    except DivergedError:
        line["after"] = None
    return round_floats(line | {"at_tenth": tenth, "points": points}, DIGITS)


def _accuracy(training: Training) -> float:
    knn = training.snapshot().knn
    assert knn is not None
    return knn.accuracy


def _point(training: Training, losses: list[Logged]) -> dict[str, Any]:
    geometry, _ = monitor_geometry(training.method, training.config, training.dataset, training.size, training.device)
    mean = sum(each.loss for each in losses) / len(losses) if losses else None
    point = {"step": training.step, "epoch": training.epoch, "loss": mean, "chance": losses[-1].chance if losses else None}
    return point | {"geometry": dataclasses.asdict(geometry)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=120)
    given = parser.parse_args()
    file = FOLDER / "runs.jsonl"
    done = {json.loads(line)["index"] for line in file.read_text().splitlines()} if file.exists() else set()
    file.parent.mkdir(parents=True, exist_ok=True)
    for index in range(given.runs):
        if index not in done:
            line = train(index)
            with file.open("a") as opened:
                opened.write(json.dumps(line) + "\n")
            print(index, line["config"]["dataset"], line["config"]["method"], line["before"], "->", line["after"], flush=True)
    found = measure(reference_runs())
    write_json(FOLDER / "report.json", round_floats(found))
    print(json.dumps(found, indent=2))


def measure(table: list[dict[str, Any]]) -> dict[str, Any]:
    """How well ranks are estimated on runs that the forest was not fitted on."""
    targets, datasets = gain_ranks(table), np.array([run["config"]["dataset"] for run in table])
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    estimates = {progress: np.zeros(len(table)) for progress in PROGRESS}
    for fitted, held_out in folds.split(table):
        for progress, found in estimates.items():
            model = fit_forest([table[i] for i in fitted], targets[fitted], progress)
            found[held_out] = model.predict([curve_features(curve_of(table[i], progress), table[i]["total"]) for i in held_out])
    tenth = np.array([run["at_tenth"] - run["before"] for run in table])
    gains = np.array([(run["after"] or 0) - run["before"] for run in table])
    flagged = [i for i, run in enumerate(table) if is_collapsing(curve_of(run, EARLY_STEPS / run["total"]))]
    ends = np.array([curve_of(run, 1.0)[-1].spread for run in table])
    return {
        "runs": len(table),
        "folds": [
            {
                "progress": progress,
                "spearman": spearmanr(found, targets).statistic,
                "by_dataset": {
                    name: spearmanr(found[datasets == name], targets[datasets == name]).statistic for name in DATASETS
                },
                "error": float(np.abs(found - targets).mean()),
            }
            for progress, found in estimates.items()
        ],
        # What labels would tell at that time.
        "accuracy_at_tenth": {name: spearmanr(tenth[datasets == name], gains[datasets == name]).statistic for name in DATASETS},
        "flagged": {
            "runs": len(flagged),
            "worse_than_untrained": int((gains[flagged] < 0).sum()),
            "mean_gain": float(gains[flagged].mean()),
            "mean_gain_of_others": float(np.delete(gains, flagged).mean()),
            "collapsed": int((ends < COLLAPSED).sum()),
            "collapsed_and_flagged": int((ends[flagged] < COLLAPSED).sum()),
        },
        "shipped": _shipped(),
    }


def _shipped() -> dict[str, Any]:
    """The estimate at a tenth of training against the gain of the shipped runs, by data set."""
    found: dict[str, list[tuple[float, float]]] = {}
    for folder in shipped_runs():
        record = folder.read_record()
        points = folder.read_metrics()
        accuracies = [point["knn"]["accuracy"] for point in points if "knn" in point]
        until = [point for point in points if point["step"] <= record.total_steps / 10]
        curve = curve_points(until)
        if len(curve) > 2 and len(accuracies) > 1 and not uses_labels(record.config):
            expected = float(forest_at(PROGRESS[0]).predict([curve_features(curve, record.total_steps)])[0])
            found.setdefault(record.config.dataset, []).append((expected, accuracies[-1] - accuracies[0]))
    pairs = found["emoji"]
    return {"dataset": "emoji", "runs": len(pairs), "spearman": spearmanr(*zip(*pairs, strict=True)).statistic}


if __name__ == "__main__":
    main()
