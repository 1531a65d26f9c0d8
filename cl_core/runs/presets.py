"""Settings of runs on images that were tried together, by name."""

from __future__ import annotations

from typing import Any

# For photographs of 32 px in a quarter of an hour on two cores; `benchmarks.coffee` measures what each part gains.
COFFEE: dict[str, Any] = {
    "dataset": "cifar10",
    "method": "simclr",
    "encoder": "fast-resnet",
    "train_size": 24,
    "views": 4,
    "temperature": 0.2,
    "projection_hidden": 256,
    "whitening": 0.75,
    "epochs": 9,
    "batch_size": 128,
    "optimizer": "muon",
    "lr": 4e-3,
    "weight_decay": 0.1,
    "snapshots": 4,
    "augment": {"blur_prob": 0.0},
}
PRESETS: dict[str, dict[str, Any]] = {"coffee": COFFEE}
