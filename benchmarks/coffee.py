"""What each part of the recipe `coffee` gains on CIFAR-10, at equal time.

    python -m benchmarks.coffee [--seconds S] [--seeds N] [--results FILE] [--table] [VARIANT ...]

Each variant is trained for S processor seconds of one thread (default 450, a quarter of fifteen minutes on two cores); a step is
measured first, and the schedule ends with the time. Prints kNN by the protocol of the runs, without and with whitening of the
features, as one JSON line a run; lines that FILE has already are not measured again, so a stopped measurement can be continued.
--table prints their means and standard deviations.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from benchmarks import hardware
from benchmarks.table import mean_and_spread
from cl_core.data.dataset import spaced
from cl_core.data.registry import load_dataset
from cl_core.evaluation.knn import evaluate_knn
from cl_core.networks.embedding import embed
from cl_core.networks.whitening import Whitening
from cl_core.runs.config import RunConfig
from cl_core.runs.presets import COFFEE
from cl_core.training.loop import StepDone, Training
from cl_core.training.recorder import merge
from cl_core.training.setup import MAX_WHITENED

CPU = torch.device("cpu")
MEASURED_STEPS = 5
PLAIN = {
    "whitening": 0.0,
    "train_size": 0,
    "views": 2,
    "batch_size": 256,
    "optimizer": "adamw",
    "lr": 2e-3,
    "weight_decay": 1e-4,
    "snapshots": 0,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "small-resnet": {"encoder": "small-resnet"},
    "resnet18": {"encoder": "resnet18"},
    "smaller views": {"train_size": 24},
    "four views": {"train_size": 24, "views": 4, "batch_size": 128},
    "small crops": {"train_size": 24, "views": 2, "small_views": 4, "small_size": 16, "batch_size": 128},
    "dcl": {"train_size": 24, "method": "dcl", "batch_size": 128},
    "muon": {"train_size": 24} | {name: COFFEE[name] for name in ("optimizer", "lr", "weight_decay")},
    "coffee": {name: COFFEE[name] for name in ("train_size", "views", "batch_size", "optimizer", "lr", "weight_decay")},
}


def measure(name: str, seed: int, seconds: float) -> dict[str, Any]:
    data = load_dataset("cifar10")
    config = RunConfig.model_validate(merge(COFFEE | PLAIN, VARIANTS[name] | {"seed": seed}))
    trial = Training(config, data, CPU)
    times = []
    for _ in range(MEASURED_STEPS):
        started = time.process_time()
        trial.take_step()
        times.append(time.process_time() - started)
    training = Training(config, data, CPU)
    training.total = max(1, int(seconds / sorted(times)[MEASURED_STEPS // 2]))  # the schedule ends here, within an epoch or not
    started = time.process_time()
    for event in training.events():
        if isinstance(event, StepDone) and event.step % 100 == 0:
            print(f"{name}, seed {seed}: step {event.step} of {training.total}", flush=True)
    spent = time.process_time() - started
    found = {"variant": name, "seed": seed, "epochs": round(training.epoch, 2), "seconds": round(spent)}
    raw = embed(training.method, data.images, training.size, CPU, normalized=False)
    whitening = Whitening(raw.shape[1])
    whitening.fit(raw[spaced(training.rows, MAX_WHITENED)], COFFEE["whitening"])
    for key, features in (("knn", raw), ("whitened", whitening(raw))):
        found[key] = round(evaluate_knn(F.normalize(features, dim=1), data).accuracy, 4)
    return found


def read_runs(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()] if results.exists() else []


def is_measured(results: Path, name: str, seed: int) -> bool:
    return any((run["variant"], run["seed"]) == (name, seed) for run in read_runs(results))


def table(results: Path) -> list[str]:
    """Rows of Markdown: epochs, kNN in percent without and with whitening, and the number of seeds."""
    runs = read_runs(results)
    rows = ["| Variant | Epochs | kNN | Whitened | Seeds |", "| --- | --- | --- | --- | --- |"]
    for name in VARIANTS:
        found = [run for run in runs if run["variant"] == name]
        if found:
            cells = [f"{statistics.mean(run['epochs'] for run in found):.2f}"]
            cells += [mean_and_spread([100 * run[key] for run in found], 1) for key in ("knn", "whitened")]
            rows.append(f"| {name} | {' | '.join(cells)} | {len(found)} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", help=", ".join(VARIANTS))
    parser.add_argument("--seconds", type=float, default=450.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path("coffee.jsonl"))
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        print(*table(arguments.results), sep="\n")
        return
    torch.set_num_threads(1)
    print(json.dumps(hardware.describe()))
    for seed in range(arguments.seeds):
        for name in arguments.variants or VARIANTS:
            if not is_measured(arguments.results, name, seed):  # read again: another process may measure, too
                line = json.dumps(measure(name, seed, arguments.seconds))
                with arguments.results.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
                print(line, flush=True)


if __name__ == "__main__":
    main()
