"""Every shipped checkpoint beside raw pixels and the untrained network: kNN and linear probe.

    python -m benchmarks.quality [--checkpoints emoji-moco ...]

Prints one JSON line a checkpoint, then the table as Markdown. Where a method has read labels, only pictures
whose labels it has not seen are asked about; so that methods can be held against each other, the others
are measured on those pictures too (column "held out").
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from torch import Tensor

from cl_core.data.catalog import load_dataset
from cl_core.embedding import pixel_features
from cl_core.evaluation.knn import evaluate_knn
from cl_core.evaluation.linear import evaluate_linear
from cl_core.runs import load_run, run_features, shipped_runs, untrained_like
from cl_core.training.loop import uses_labels


def measure(name: str) -> dict[str, Any]:
    """kNN (leave one out where no labels were read; held out), and linear probe, in three spaces."""
    run = load_run(name)
    data = load_dataset(run.record.config.dataset)
    pixels = pixel_features(data.pictures, run.size)
    spaces: dict[str, Tensor] = {
        "trained": run_features(run, data.pictures),
        "untrained": run_features(untrained_like(run), data.pictures),
        "pixels": pixels - pixels.mean(0),
    }
    labels = uses_labels(run.record.config)
    figures: dict[str, Any] = {"checkpoint": name, "verdict": run.record.figures.get("health", {}).get("verdict", "")}
    for space, features in spaces.items():
        held_out = evaluate_knn(features, data, labels_seen=True)
        figures[space] = {
            "knn": None if labels else round(evaluate_knn(features, data).accuracy, 4),
            "held_out": round(held_out.accuracy, 4),
            "linear": round(evaluate_linear(features, data).accuracy, 4),
        }
    figures["protocol"] = held_out.protocol()
    return figures


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
    rows = []
    for name in parser.parse_args().checkpoints:
        rows.append(measure(name))
        print(json.dumps(rows[-1]), flush=True)
    print(as_markdown(rows))


if __name__ == "__main__":
    main()
