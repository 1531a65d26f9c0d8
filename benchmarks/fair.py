"""All methods under the same conditions: encoder, epochs, batch, augmentation, optimizer and a budget for tuning.

    python -m benchmarks.fair [--datasets emoji fashion cifar10] [--methods NAME ...] [--seconds S] [--table | --times]

Each method is tuned with seed 0 by four runs, two learning rates times two values of one setting of its own (`OWN`). The setting
with the best kNN of a fifth of the images whose labels may be used is chosen, and three runs are made with it. In the four runs
the labels of that fifth are held out from training, too, and no held-out label takes part in the choice. SigLIP learns its
temperature and bias, as it is defined. Results go to benchmarks/results/fair.jsonl, one line a run; runs that are in the file
with the same settings are not made again, so the measurement can be stopped and continued. --table prints the means and standard
deviations that are there; --times measures how long a step of each method takes on the first data set, which a busy machine slows
down alike: in turns, one thread, the least of all rounds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.table import mean_and_spread
from cl_core.data.dataset import Dataset, group_representatives
from cl_core.data.registry import load_dataset
from cl_core.evaluation.geometry import measure_geometry
from cl_core.evaluation.knn import Split, evaluate_knn, knn_correct
from cl_core.evaluation.linear import evaluate_linear
from cl_core.networks.embedding import embed, pixel_features
from cl_core.networks.methods import TRAINABLE
from cl_core.runs.config import RunConfig
from cl_core.runs.events import DivergedError
from cl_core.training.loop import Training
from cl_core.training.recorder import merge

CPU = torch.device("cpu")
RESULTS = Path(__file__).parent / "results" / "fair.jsonl"
SHARED: dict[str, Any] = {
    "encoder": "cnn",
    "image_size": 32,
    "projection_hidden": 256,
    "projection_dim": 128,
    "batch_size": 128,
    "snapshots": 0,
}
DATASETS: dict[str, dict[str, Any]] = {  # 480 to 780 steps
    "emoji": {"epochs": 40, "augment": {"flip_prob": 0.0, "blur_prob": 0.3}},
    "fashion": {"epochs": 8, "augment": {"blur_prob": 0.3}},
    "cifar10": {"epochs": 2, "augment": {"blur_prob": 0.0}},
}
RATES = (1e-3, 4e-3)
SEEDS = (1, 2, 3)
OWN: dict[str, tuple[str, tuple[Any, Any]]] = {
    "simsiam": ("projection_last_norm", (False, True)),
    "byol": ("key_momentum", (0.9, 0.99)),
    "barlow-twins": ("redundancy_weight", (0.005, 0.02)),
    "vicreg": ("covariance_weight", (1.0, 4.0)),
    "cross-entropy": ("weight_decay", (1e-4, 1e-2)),
} | dict.fromkeys(("simclr", "dcl", "hcl", "siglip", "moco", "nce-bank", "infonce-bank", "supcon"), ("temperature", (0.1, 0.3)))
BASELINES = {"untrained": "untrained", "pixels": "raw pixels"}
FIGURES = {
    "knn": "kNN",
    "linear": "Linear",
    "alignment": "Alignment",
    "uniformity": "Uniformity",
    "rank": "Rank",
}
ROUNDS, STEPS = 6, 4  # of --times
Run = dict[str, Any]


def validation_split(dataset: Dataset) -> Split:
    """A random fifth of the images whose labels training may use, against the others; one image of each group."""
    rows = group_representatives(dataset) if len(dataset.test) == 0 else dataset.train
    rows = rows[(dataset.labels[rows] >= 0) & ~torch.isin(rows, dataset.held_out)]
    rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))]
    return Split(rows[: len(rows) // 5], rows[len(rows) // 5 :], "test-train")


def without_validation_labels(dataset: Dataset) -> Dataset:
    """The data set with the labels of `validation_split`'s queries, and of their groups, held out from training."""
    groups = dataset.groups[validation_split(dataset).queries]
    rows = torch.isin(dataset.groups, groups).nonzero()[:, 0]
    return dataclasses.replace(dataset, held_out=torch.cat([dataset.held_out, rows]).unique())


def measure(settings: dict[str, Any], dataset: Dataset, is_trial: bool) -> Run:
    """Train and measure one run; times are those of one thread. A run that diverges has a validation kNN of 0."""
    config = RunConfig.model_validate(settings)
    training = Training(config, without_validation_labels(dataset) if is_trial else dataset, CPU)
    started = time.process_time()
    try:
        for _ in training.events():
            pass
    except DivergedError:
        return dict.fromkeys(["validation", *FIGURES, "seconds"], 0.0)
    seconds = time.process_time() - started
    return figures_of(training, dataset) | {"seconds": seconds}


def figures_of(training: Training, dataset: Dataset) -> dict[str, float]:
    """`FIGURES` of the present weights."""
    features = embed(training.method, dataset.images, training.size, CPU)
    images, augment = dataset.images[dataset.on_map[:1024]], training.config.augment
    geometry, _ = measure_geometry(training.method, images, augment, training.size, torch.Generator().manual_seed(0))
    return accuracies(features, dataset) | {
        "alignment": geometry.alignment,
        "uniformity": geometry.uniformity,
        "rank": geometry.effective_rank,
    }


def accuracies(features: Tensor, dataset: Dataset) -> dict[str, float]:
    return {
        "validation": knn_correct(features, dataset, validation_split(dataset)).double().mean().item(),
        "knn": evaluate_knn(features, dataset, labels_seen=True).accuracy,
        "linear": evaluate_linear(features, dataset).accuracy,
    }


def make_baselines(name: str, dataset: Dataset) -> None:
    """Measure what no training reaches: the encoder as it is initialized, and raw pixels, their mean subtracted."""
    shared = shared_settings(name)
    base = {"dataset": name, "shared": shared}
    for seed in SEEDS:
        if not any(run["seed"] == seed for run in runs_of(read_runs(), name, "untrained")):
            config = RunConfig.model_validate(merge(shared, {"dataset": name, "method": "simclr", "seed": seed}))
            save(base | {"method": "untrained", "seed": seed}, figures_of(Training(config, dataset, CPU), dataset))
    if not runs_of(read_runs(), name, "pixels"):
        pixels = pixel_features(dataset.images, shared["image_size"])
        save(base | {"method": "pixels", "seed": 0}, accuracies(pixels - pixels.mean(0), dataset))


def read_runs() -> list[Run]:
    return [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()] if RESULTS.exists() else []


def shared_settings(dataset: str) -> dict[str, Any]:
    """The settings that all methods share on a data set."""
    return merge(SHARED, DATASETS[dataset])


def runs_of(runs: list[Run], dataset: str, method: str) -> list[Run]:
    shared = shared_settings(dataset)
    return [run for run in runs if (run["dataset"], run["method"], run["shared"]) == (dataset, method, shared)]


def best_trial(trials: list[Run]) -> Run:
    """The run with seed 0 whose validation kNN is the highest."""
    return max((run for run in trials if run["seed"] == 0), key=lambda run: run["validation"])


def missing_runs(dataset: str, method: str) -> list[Run]:
    """What is still to be made: the trials, or after them the repetitions of the best one."""
    name, values = OWN[method]
    runs = runs_of(read_runs(), dataset, method)
    made = [(run["lr"], run["value"], run["seed"]) for run in runs]
    trials = [(lr, value, 0) for lr, value in product(RATES, values)]
    if all(trial in made for trial in trials):
        best = best_trial(runs)
        trials = [(best["lr"], best["value"], seed) for seed in SEEDS]
    base = {"dataset": dataset, "method": method, "setting": name, "shared": shared_settings(dataset)}
    return [base | {"lr": lr, "value": value, "seed": seed} for lr, value, seed in trials if (lr, value, seed) not in made]


def make_run(run: Run, dataset: Dataset) -> None:
    own = {name: run[name] for name in ("dataset", "method", "lr", "seed")} | {run["setting"]: run["value"]}
    if run["method"] == "siglip":
        own["learn_temperature"] = True
    save(run, measure(merge(run["shared"], own), dataset, run["seed"] == 0))


def save(run: Run, figures: dict[str, float]) -> None:
    """Append a run with its figures to the file."""
    found = run | {name: round(value, 5) for name, value in figures.items()}
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(found) + "\n")
    print(json.dumps(found), flush=True)


def table(dataset: str) -> list[str]:
    """Rows of Markdown, the best kNN first: mean and standard deviation over the seeds of the chosen setting."""
    rows = []
    for method in OWN:
        runs = runs_of(read_runs(), dataset, method)
        if missing_runs(dataset, method):
            continue
        best = best_trial(runs)
        chosen = [run for run in runs if (run["lr"], run["value"]) == (best["lr"], best["value"]) and run["seed"] in SEEDS]
        cells = [f"`{method}`", f"lr {best['lr']:g}, {best['setting']} {best['value']}", *means(chosen)]
        rows.append((statistics.mean(run["knn"] for run in chosen), cells))
    head = ["Method", "Chosen", *FIGURES.values()]
    below = [[label, "", *means(runs_of(read_runs(), dataset, method))] for method, label in BASELINES.items()]
    lines = [head, ["---"] * len(head), *(cells for _, cells in sorted(rows, reverse=True)), *below]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def means(runs: list[Run]) -> list[str]:
    """Mean and standard deviation of each of `FIGURES`; empty where runs do not have it."""
    cells = []
    for name in FIGURES:
        values = [run[name] * (100 if name in ("knn", "linear") else 1) for run in runs if name in run]
        digits = {"alignment": 2, "uniformity": 2}.get(name, 1)
        cells.append(mean_and_spread(values, digits))
    return cells


def times(name: str, methods: list[str]) -> list[str]:
    """Rows of Markdown, the fastest first: milliseconds of a step, and as a multiple of SimCLR's."""
    dataset = load_dataset(name)
    settings = {method: merge(shared_settings(name), {"dataset": name, "method": method}) for method in methods}
    trainings = {method: Training(RunConfig.model_validate(own), dataset, CPU) for method, own in settings.items()}
    least = dict.fromkeys(methods, float("inf"))
    for _ in range(ROUNDS):
        for method, training in trainings.items():
            started = time.perf_counter()
            for _ in range(STEPS):
                training.take_step()
            least[method] = min(least[method], (time.perf_counter() - started) / STEPS)
    rows = ["| Method | Step, ms | Of SimCLR's |", "| --- | --- | --- |"]
    ratio = least.get("simclr", float("nan"))
    for method, seconds in sorted(least.items(), key=lambda item: item[1]):
        rows.append(f"| `{method}` | {1e3 * seconds:.0f} | {seconds / ratio:.2f} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS), choices=list(DATASETS))
    parser.add_argument("--methods", nargs="+", default=list(TRAINABLE), choices=list(TRAINABLE))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no further run after this time")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--table", action="store_true")
    shown.add_argument("--times", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        for name in arguments.datasets:
            print(f"\n{name}\n", *table(name), sep="\n")
        return
    torch.set_num_threads(1)
    if arguments.times:
        print(*times(arguments.datasets[0], arguments.methods), sep="\n")
        return
    started = time.monotonic()
    for name in arguments.datasets:
        dataset = load_dataset(name)
        make_baselines(name, dataset)
        for method in arguments.methods:
            while missing := missing_runs(name, method):
                if time.monotonic() - started > arguments.seconds:
                    return
                make_run(missing[0], dataset)


if __name__ == "__main__":
    main()
