"""Every shipped checkpoint beside raw pixels and the untrained network: kNN and linear probe.

    python -m benchmarks.quality [--checkpoints emoji-moco ...]

Prints one JSON line a checkpoint, then the table as Markdown. Where a method has read labels, only images
whose labels it has not seen are asked about; so that methods can be held against each other, the others
are measured on those images too (column "held out").
"""

from __future__ import annotations

import argparse
import json
from functools import cache
from typing import Any

from torch import Tensor

from cl_core.data.registry import load_dataset
from cl_core.evaluation.knn import evaluate_knn
from cl_core.evaluation.linear import evaluate_linear
from cl_core.networks.embedding import pixel_features
from cl_core.runs.store import load_run, run_features, shipped_runs, untrained_like
from cl_core.training.setup import uses_labels


@cache
def pixel_metrics(dataset: str, size: int) -> dict[str, float]:
    pixels = pixel_features(load_dataset(dataset).images, size)
    return figures_of(pixels - pixels.mean(0), dataset)


@cache
def untrained_metrics(dataset: str, key: str, name: str) -> dict[str, float]:
    return figures_of(run_features(untrained_like(load_run(name)), load_dataset(dataset).images), dataset)


def figures_of(features: Tensor, dataset: str) -> dict[str, float]:
    """kNN over everything and on the held-out part, and the linear probe, which is always on the held-out part."""
    data = load_dataset(dataset)
    measured = {
        "knn": evaluate_knn(features, data).accuracy,
        "held_out": evaluate_knn(features, data, labels_seen=True).accuracy,
        "linear": evaluate_linear(features, data).accuracy,
    }
    return {key: round(value, 4) for key, value in measured.items()}


def measure(name: str, first_of: dict[str, str]) -> dict[str, Any]:
    """Figures in three spaces; `first_of` remembers a checkpoint for each untrained network, which several share."""
    run = load_run(name)
    dataset = run.record.config.dataset
    key = untrained_like(run).key
    metrics: dict[str, Any] = {
        "checkpoint": name,
        "verdict": run.record.metrics["health"]["verdict"],
        "trained": figures_of(run_features(run, load_dataset(dataset).images), dataset),
        "untrained": untrained_metrics(dataset, key, first_of.setdefault(key, name)),
        "pixels": pixel_metrics(dataset, run.size),
    }
    if uses_labels(run.record.config):
        metrics["trained"]["knn"] = None  # its labels were seen
    return metrics


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """One line a checkpoint: trained / untrained / pixels."""
    lines = ["| Checkpoint | kNN, all | kNN, held out | Linear probe |", "|---|---|---|---|"]
    for row in rows:
        cells = []
        for key in ("knn", "held_out", "linear"):
            values = [row[space][key] for space in ("trained", "untrained", "pixels")]
            cells.append("labels seen" if values[0] is None else "**{:.1%}** / {:.1%} / {:.1%}".format(*values))
        lines.append(f"| `{row['checkpoint']}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", nargs="+", default=[folder.name for folder in shipped_runs()])
    rows: list[dict[str, Any]] = []
    first_of: dict[str, str] = {}
    for name in parser.parse_args().checkpoints:
        rows.append(measure(name, first_of))
        print(json.dumps(rows[-1]), flush=True)
    print(as_markdown(rows))


if __name__ == "__main__":
    main()
