"""Whether a brief comparison of methods ranks them as long training does.

    python -m benchmarks.method_comparison DATASET [--minutes M] [--folder DIR]

Compares all methods of which a trained model of the data set ships, for M minutes (default 10), then evaluates the shipped
models by the same protocol and prints both scores and Kendall's rank correlation.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch
from scipy.stats import kendalltau

from benchmarks import hardware
from cl_core.runs.store import open_run, shipped_runs
from cl_core.training.comparison_state import ComparisonConfig, Entry, rank_entries, read_comparison
from cl_core.training.method_comparison import MethodComparison


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, help="of the comparison; a finished one there is used")
    arguments = parser.parse_args()
    print(json.dumps(hardware.describe()))
    folders = {}
    for folder in shipped_runs():
        trained = folder.read_record().config
        if trained.dataset == arguments.dataset and folder.name == f"{arguments.dataset}-{trained.method}":
            folders[trained.method] = folder
    known = read_comparison(arguments.folder) if arguments.folder else None
    config = ComparisonConfig(dataset=arguments.dataset, methods=tuple(folders), minutes=arguments.minutes)
    config = known.config if known and set(known.config.methods) == set(folders) else config
    with tempfile.TemporaryDirectory() as scratch:
        comparison = MethodComparison(arguments.folder or Path(scratch), config, torch.device("cpu"))
        brief = {each.entry.name: each for each in rank_entries(comparison.run().entries)}
        scores, long = [], []
        for method, folder in folders.items():
            run = open_run(folder)
            entry = Entry(name=method, kind="method")
            comparison.add_result(entry, *comparison.measure_network(run.method, run.size))
            found = brief[method]
            scores.append(found.entry.score)
            long.append(entry.score)
            interval = [round(found.low, 3), round(found.high, 3)]
            numbers = {"brief": round(found.entry.score, 3), "interval": interval, "epochs": found.entry.epochs}
            print(json.dumps({"method": method, **numbers, "long": round(entry.score, 3)}), flush=True)
    tau = kendalltau(scores, long)
    statistics = {"tau": round(float(tau.statistic), 2), "p": round(float(tau.pvalue), 3)}
    result = {"minutes": round(comparison.state.spent / 60, 1), **statistics}
    print(json.dumps({"dataset": arguments.dataset, **result}))


if __name__ == "__main__":
    main()
