"""Train the five small runs of the tab Keys, and measure the drift of their keys while they train.

    python -m benchmarks.keys [FOLDER]

By default into `assets/keys`. Each is a run folder with `keys.safetensors` (`explore.keys.KeyHistory`); its model file holds the
whole state, so that training can continue from it. Three minutes on two cores.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

from cl_core.explore.keys import KeyHistory, current_keys, encoder_similarity
from cl_core.explore.paradigms import FOLDER, PARADIGMS
from cl_core.runs.events import StepDone
from cl_core.runs.folder import RunFolder
from cl_core.training.recorder import start

LOSSES_KEPT = 5  # one in so many: they are not shown, and what ships is small
SNAPSHOTS = 9  # denser early, where keys drift fastest


def train(settings: dict[str, Any], target: Path) -> None:
    """Train one run and write it to `target`."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = start(Path(folder) / "run", settings, torch.device("cpu"))
        assert recorder is not None
        training = recorder.training
        snapshots = {max(1, round(training.total * (i / SNAPSHOTS) ** 2)) for i in range(1, SNAPSHOTS + 1)}
        steps, found, lags = list[int](), [], list[float]()
        for event in recorder.events():
            if isinstance(event, StepDone) and event.step in snapshots:
                behind = encoder_similarity(training)
                steps.append(event.step)
                found.append(current_keys(training))
                lags.append(float("nan") if behind is None else behind)
        source = RunFolder(Path(folder) / "run")
        shutil.rmtree(target, ignore_errors=True)
        small = RunFolder(target)
        for number, point in enumerate(source.read_metrics()):
            if point["kind"] == "snapshot" or number % LOSSES_KEPT == 0:
                small.append_metrics(point)
        small.write_quantized_model(training.method.state_dict())
        small.write_record(source.read_record())
    rows, ages, cosines = ([getattr(keys, name) for keys in found] for name in ("rows", "ages", "cosines"))
    KeyHistory(steps, rows, ages, cosines, lags).write(target / "keys.safetensors")
    knn = small.read_record().metrics["knn"]["accuracy"]
    print(target.name, f"kNN {knn:.3f}", *(f"{step}: {keys.consistency:.4f}" for step, keys in zip(steps, found, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    folder = parser.parse_args().folder
    for name, settings in PARADIGMS.items():
        train(settings, folder / name)


if __name__ == "__main__":
    main()
