"""Train the runs of the tab Ablations with three seeds each, and store what they reach.

    python -m benchmarks.ablations FOLDER

Trains into FOLDER, where a run that was interrupted resumes and a finished one is only measured; an hour on two cores. Writes
`assets/ablations.json`: for each run and seed kNN accuracy on all images and on the held-out ones, and the spread of the
embeddings of the monitor images relative to an even one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from cl_core.data.registry import load_dataset
from cl_core.evaluation.geometry import output_std
from cl_core.evaluation.knn import evaluate_knn
from cl_core.runs.folder import RunFolder
from cl_core.runs.store import find_run, open_run, run_features, untrained_like
from cl_core.system.paths import ASSETS
from cl_core.training.recorder import start
from cl_core.ui.tabs.ablations import EXPERIMENTS

SEEDS = 3


def trained(name: str, offset: int, folder: Path) -> RunFolder:
    """The run of a seed, trained if it is not yet."""
    settings = find_run(name).read_record().config.model_dump()
    path = folder / f"{name}-{offset}"
    recorder = start(path, settings | {"seed": settings["seed"] + offset}, torch.device("cpu"))
    for _ in recorder.events() if recorder else ():
        pass
    return RunFolder(path)


def measured(folder: RunFolder) -> dict[str, float]:
    """What a run reaches, in percent, and the same before training."""
    run = open_run(folder)
    data = load_dataset(run.record.config.dataset)
    snapshots = folder.read_snapshots()
    assert snapshots is not None
    found: dict[str, float] = {"seed": run.record.config.seed}
    for when, each, snapshot in (("", run, -1), ("untrained_", untrained_like(run), 0)):
        features = run_features(each, data.images)
        z = snapshots.embeddings[snapshot].float()
        found[f"{when}knn"] = 100 * evaluate_knn(features, data).accuracy
        found[f"{when}held_out"] = 100 * evaluate_knn(features, data, labels_seen=True).accuracy
        found[f"{when}spread"] = 100 * output_std(z) * z.shape[1] ** 0.5
    return {name: round(value, 2) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    names = sorted({name for experiment in EXPERIMENTS.values() for name in (experiment.baseline, experiment.changed)})
    runs = {name: [measured(trained(name, offset, folder)) for offset in range(SEEDS)] for name in names}
    (ASSETS / "ablations.json").write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    for name, results in runs.items():
        print(name, results)


if __name__ == "__main__":
    main()
