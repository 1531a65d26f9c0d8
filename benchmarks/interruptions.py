"""kill -9 at random moments of a run: does the resumed run end like the uninterrupted one, bit for bit?

    python -m benchmarks.interruptions --kills 20 [--methods moco nce-bank]

Each run is trained in a process of its own and saves at every step; the kill comes at a moment drawn
uniformly from the time the uninterrupted run took from its first file on, so it hits steps, snapshots and
half-written files alike. A run that ended before its kill does not count and is drawn again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from cl_core.augment.settings import AugmentConfig
from cl_core.augment.views import COMPILED_FROM, make_views
from cl_core.networks.methods import TRAINABLE
from cl_core.runs.folder import RunFolder

SETTINGS: dict[str, Any] = {
    "dataset": "digits",
    "image_size": 16,
    "encoder": "cnn",
    "projection_hidden": 32,
    "projection_dim": 16,
    "batch_size": 128,
    "queue_size": 256,
    "negatives": 256,
    "epochs": 2,
    "snapshots": 3,
    "schedule": "plateau",
    "plateau_patience": 0,
}


def settings_for(method: str) -> dict[str, Any]:
    """Small settings in which everything a method keeps between steps changes; SGD and LARS are among them."""
    optimizer = {"simsiam": "sgd", "supcon": "lars"}.get(method, "adamw")
    return SETTINGS | {"method": method, "optimizer": optimizer}


def train(folder: Path, settings: dict[str, Any]) -> None:
    """Start or resume the run in `folder`: the function that is killed and started again."""
    from cl_core.training.recorder import start

    torch.set_num_threads(1)
    session = start(folder, settings, torch.device("cpu"))
    if session is not None:
        for _ in session.events(save_every_s=0):
            pass


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two finished runs, apart from the clock."""
    mine, theirs = RunFolder(one), RunFolder(other)
    found = []
    for name in ("resume_file", "model_file", "snapshots_file"):
        a, b = (safetensors.torch.load_file(getattr(run, name)) for run in (mine, theirs))
        if a.keys() != b.keys() or not all(torch.equal(a[key], b[key]) for key in a):
            found.append(name)

    def curve(run: RunFolder) -> list[dict[str, Any]]:
        return [{k: v for k, v in point.items() if k != "images_per_s"} for point in run.read_metrics()]

    if curve(mine) != curve(theirs):
        found.append("metrics")
    if mine.read_record().metrics != theirs.read_record().metrics:
        found.append("metrics")
    return found


def check_method(method: str, kills: int, root: Path, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """Kill one run of `method` at each of `kills` moments, resume it to the end, and compare; changes: of its settings."""
    settings = settings_for(method) | changes
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cl_core.training.recorder", "cl_core.augment.kernel", "sklearn.datasets", "torch._dynamo"])
    # Compiled once, before anything is timed.
    make_views(torch.zeros(COMPILED_FROM, 3, 8, 8, dtype=torch.uint8), AugmentConfig(), 8, torch.Generator())

    def begin(folder: Path) -> Any:
        process = context.Process(target=train, args=(folder, settings))
        process.start()
        return process

    def has_begun(process: Any, run: RunFolder) -> float:
        while process.is_alive() and not run.exists():
            time.sleep(0.002)
        return time.monotonic()

    whole = root / method / "whole"
    process = begin(whole)
    began = has_begun(process, RunFolder(whole))
    process.join()
    assert process.exitcode == 0
    duration = time.monotonic() - began
    moments = random.Random(f"{method} {seed}")
    outcomes: list[dict[str, Any]] = []
    for attempt in range(10 * kills):
        folder = root / method / f"killed-{attempt}"
        process = begin(folder)
        has_begun(process, RunFolder(folder))
        process.join(moments.random() * duration)
        process.kill()
        process.join()
        if process.exitcode != -signal.SIGKILL:
            continue
        step = RunFolder(folder).read_record().step
        again = begin(folder)
        again.join()
        outcomes.append({"step": step, "exit": again.exitcode, "differs": differences(folder, whole)})
        if len(outcomes) == kills:
            break
    return {
        "method": method,
        "kills": len(outcomes),
        "steps": sorted(o["step"] for o in outcomes),
        "equal": sum(not o["differs"] and o["exit"] == 0 for o in outcomes),
        "differs": sorted({name for o in outcomes for name in o["differs"]}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--methods", nargs="+", default=list(TRAINABLE))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        for method in arguments.methods:
            print(json.dumps(check_method(method, arguments.kills, Path(root))), flush=True)


if __name__ == "__main__":
    main()
