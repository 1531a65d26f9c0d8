"""`evaluate`: measure a run and its baselines."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from typing import Any

from cl_core.cli.options import Commands, add_checkpoint, add_command, add_json
from cl_core.errors import UserError, quoted


def add_parser(commands: Commands) -> None:
    description = "Measure kNN, linear probe, clustering and geometry, for the run, the untrained encoder and raw pixels."
    parser = add_command(commands, "evaluate", evaluate, description)
    add_checkpoint(parser)
    parser.add_argument("--dataset", help="evaluate on other images than those of the run")
    add_json(parser)


def evaluate(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from cl_core.data.registry import load_dataset
    from cl_core.evaluation.knn import has_split
    from cl_core.explore.report import compare_with_baselines
    from cl_core.runs.store import load_run

    run = load_run(arguments.checkpoint)
    dataset = load_dataset(arguments.dataset or run.record.config.dataset)
    if not has_split(dataset, labels_seen=True):
        raise UserError("cli.no_labels", name=quoted(dataset.name))
    with tqdm(total=9, unit="metric", desc="evaluate", file=sys.stderr, leave=False, delay=1) as bar:
        reports = compare_with_baselines(run, dataset, lambda: bar.update(1) and None)
    if arguments.json:
        heading = {"checkpoint": run.name, "dataset": dataset.name, "layer": "feature h", "step": run.record.step}
        kinds = ("knn", "linear", "clustering", "geometry")
        measured = {kind: {name: _metrics(getattr(report, kind)) for name, report in reports.items()} for kind in kinds}
        print(json.dumps(heading | measured, indent=2))
        return 0
    print(f"{run.name} on {dataset.name}, feature h after step {run.record.step:,} (the last)")
    print(f"{'':<12}{'kNN':>9}{'linear':>9}{'NMI':>9}{'ARI':>9}{'NMI (mix)':>11}{'ARI (mix)':>11}")
    for name, report in reports.items():
        kmeans, mixture = report.clustering
        print(
            f"{name:<12}{report.knn.accuracy:>9.2%}{report.linear.accuracy:>9.2%}"
            f"{kmeans.nmi:>9.3f}{kmeans.ari:>9.3f}{mixture.nmi:>11.3f}{mixture.ari:>11.3f}"
        )
    print(f"\n{'':<12}{'alignment':>11}{'uniformity':>12}{'std':>8}{'1/sqrt(d)':>11}{'eff. rank':>11}")
    for name, report in reports.items():
        shape = report.geometry
        if shape:
            print(
                f"{name:<12}{shape.alignment:>11.3f}{shape.uniformity:>12.3f}{shape.std:>8.3f}"
                f"{shape.dim**-0.5:>11.3f}{shape.effective_rank:>11.1f}"
            )
    trained = reports["trained"]
    print(f"\nkNN: {trained.knn.protocol()}\nlinear: {trained.linear.protocol()}")
    for clusters in trained.clustering:
        print(f"NMI, ARI: {clusters.protocol()}")
    if trained.geometry:
        print(f"geometry: {trained.geometry.protocol()}")
    return 0


def _metrics(result: Any) -> Any:
    """A result as JSON, with its protocol."""
    if result is None:
        return None
    if isinstance(result, list):
        return [_metrics(each) for each in result]
    return dataclasses.asdict(result) | {"protocol": result.protocol()}
