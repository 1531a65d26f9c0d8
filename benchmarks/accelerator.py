"""One GPU: SimCLR on CIFAR-10 with ResNet-18 (32 px stem) at batch 512, seconds an epoch and kNN after twenty minutes.

    python -m cl_core data get cifar10 && python -m benchmarks.accelerator

Without CUDA, or without CIFAR-10, the rows stay open.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from benchmarks.table import Row
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.runs.config import RunConfig
from cl_core.runs.events import StepDone
from cl_core.training.loop import Snapshot, Training

SETTINGS: dict[str, Any] = {
    "dataset": "cifar10",
    "encoder": "resnet18-32px",
    "batch_size": 512,
    "temperature": 0.2,
    "optimizer": "sgd",
    "lr": 0.4,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "augment": {"blur_prob": 0.0},
}
ASKED = (
    "One H100-class GPU: ResNet-18 on CIFAR-10 at most 3.5 s an epoch at batch 512",
    "... kNN at least 90 % within 20 minutes",
)


def seconds_an_epoch(device: torch.device, epochs: int = 3) -> float:
    """The best of a few epochs after one to warm up; nothing is measured meanwhile."""
    training = Training(
        RunConfig.model_validate(SETTINGS | {"epochs": epochs + 1, "snapshots": 0}), load_dataset("cifar10"), device
    )
    times: list[float] = []
    began = time.perf_counter()
    for event in training.events():
        if isinstance(event, StepDone) and event.step % training.steps_per_epoch == 0:
            torch.cuda.synchronize(device)
            times.append(time.perf_counter() - began)
            began = time.perf_counter()
    return min(times[1:])


def knn_in(minutes: float, epoch_seconds: float, device: torch.device) -> tuple[float, int, float]:
    """kNN after as many epochs as fit with a tenth to spare: accuracy, epochs, minutes taken."""
    epochs = int(0.9 * 60 * minutes / epoch_seconds)
    began = time.perf_counter()
    training = Training(RunConfig.model_validate(SETTINGS | {"epochs": epochs, "snapshots": 2}), load_dataset("cifar10"), device)
    accuracy = 0.0
    for event in training.events():
        if isinstance(event, Snapshot) and event.knn:
            accuracy = event.knn.accuracy
    return accuracy, epochs, (time.perf_counter() - began) / 60


def rows() -> list[Row]:
    reason = "no CUDA here" if not torch.cuda.is_available() else "CIFAR-10 is not on this machine"
    if not torch.cuda.is_available() or "cifar10" not in dataset_names():
        return [Row(asked, f"not measured: {reason}", None) for asked in ASKED]
    device = torch.device("cuda")
    epoch = seconds_an_epoch(device)
    accuracy, epochs, minutes = knn_in(20, epoch, device)
    title = load_dataset("cifar10").title
    return [
        Row(ASKED[0], f"{epoch:.2f} s on {title}", epoch <= 3.5),
        Row(ASKED[1], f"{accuracy:.1%} after {epochs} epochs in {minutes:.1f} min on {title}", accuracy >= 0.9 and minutes <= 20),
    ]


if __name__ == "__main__":
    for row in rows():
        print(row.line())
