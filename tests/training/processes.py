"""Training processes of tests."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from cl_core.runs.folder import RunFolder
from tests.conftest import SMALL

LONG = SMALL | {"epochs": 3_000, "encoder": "mlp", "snapshots": 0}
# A step takes 10 to 20 s on one core; it is the first one, so nothing is saved before it.
LONG_STEP = LONG | {"encoder": "resnet18-32px", "image_size": 64, "batch_size": 48, "precision": "float32"}


def wait_for(path: Path, points: int) -> RunFolder:
    """Wait until `metrics.jsonl` of the run has so many points."""
    folder, deadline = RunFolder(path), time.monotonic() + 120
    while not folder.exists() or len(folder.read_metrics()) < points:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return folder


def training_process(parent: int | None = None) -> int:
    """Id of the training process started by this program, or by the program `parent`."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        command = ["pgrep", "-P", str(parent or os.getpid()), "-f", "cl_core.training.job_process"]
        if found := subprocess.run(command, capture_output=True, text=True).stdout.split():
            return int(found[0])
        time.sleep(0.05)
    raise AssertionError("no training process")
