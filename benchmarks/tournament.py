"""Whether a brief comparison of methods ranks them as long training does.

    python -m benchmarks.tournament DATASET [--minutes M] [--folder DIR]

Compares all methods of which a trained model of the data set ships, for M minutes (default 10), then evaluates the shipped models by the
same protocol and prints both scores and Kendall's rank correlation.
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
from cl_core.training.contest import Contest
from cl_core.training.tournament import Entry, TournamentConfig, rank_entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, help="of the comparison; a finished one there is used")
    arguments = parser.parse_args()
    print(json.dumps(hardware.describe()))
    folders = {}
    for folder in shipped_runs():
        config = folder.read_record().config
        if config.dataset == arguments.dataset and folder.name == f"{arguments.dataset}-{config.method}":
            folders[config.method] = folder
    config = TournamentConfig(dataset=arguments.dataset, methods=tuple(folders), minutes=arguments.minutes)
    with tempfile.TemporaryDirectory() as scratch:
        contest = Contest(arguments.folder or Path(scratch), config, torch.device("cpu"))
        brief = {each.entry.name: each for each in rank_entries(contest.run().entries)}
        scores, long = [], []
        for method, folder in folders.items():
            run = open_run(folder)
            entry = Entry(name=method, kind="method")
            contest.judge(entry, *contest.network(run.method, run.size))
            found = brief[method]
            scores.append(found.entry.score)
            long.append(entry.score)
            interval = [round(found.low, 3), round(found.high, 3)]
            numbers = {"brief": round(found.entry.score, 3), "interval": interval, "epochs": found.entry.epochs}
            print(json.dumps({"method": method, **numbers, "long": round(entry.score, 3)}), flush=True)
    tau = kendalltau(scores, long)
    result = {
        "minutes": round(contest.state.spent / 60, 1),
        "tau": round(float(tau.statistic), 2),
        "p": round(float(tau.pvalue), 3),
    }
    print(json.dumps({"dataset": arguments.dataset, **result}))


if __name__ == "__main__":
    main()
