"""Time of a training step of each method, and with more views, as multiples of SimCLR with two views.

    python -m benchmarks.costs [--dataset NAME] [--encoder NAME] [--batch-size N] [--rounds N]

All variants take one step after another in each round, on one thread, so that a slower moment of the machine meets all of them.
Prints the median over the rounds of each step's processor time, divided by that of SimCLR, as a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

import torch

from benchmarks import hardware
from cl_core.data.registry import load_dataset
from cl_core.networks.methods import TRAINABLE
from cl_core.runs.config import RunConfig
from cl_core.training.loop import Training

CPU = torch.device("cpu")
PEER = "simclr"
MORE_VIEWS: dict[str, dict[str, Any]] = {
    f"{method}, {text}": {"method": method} | settings
    for method in ("simclr", "supcon")
    for text, settings in {
        "3 views": {"views": 3},
        "4 views": {"views": 4},
        "2 views and 2 small": {"small_views": 2},
        "2 views and 4 small": {"small_views": 4},
        "2 views and 6 small": {"small_views": 6},
    }.items()
}
VARIANTS = {method: {"method": method} for method in TRAINABLE} | MORE_VIEWS


def seconds_of_step(training: Training) -> float:
    started = time.process_time()
    training.take_step()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="emoji")
    parser.add_argument("--encoder", default="small-resnet")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(json.dumps(hardware.describe()))
    dataset = load_dataset(arguments.dataset)
    shared = {"dataset": arguments.dataset, "encoder": arguments.encoder, "batch_size": arguments.batch_size}
    runs = {name: Training(RunConfig.model_validate(shared | settings), dataset, CPU) for name, settings in VARIANTS.items()}
    for training in runs.values():
        training.take_step()  # the first step prepares kernels and buffers
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(arguments.rounds):
        for name, training in runs.items():
            times[name].append(seconds_of_step(training))
    peer = statistics.median(times[PEER])
    print(f"\n{PEER} with two views: {peer * 1e3:.0f} ms a step\n\n| Step | Times {PEER} |\n|---|---|")
    for name, values in times.items():
        print(f"| `{name}` | {statistics.median(values) / peer:.2f} |")


if __name__ == "__main__":
    main()
