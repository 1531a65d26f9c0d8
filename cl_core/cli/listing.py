"""`list`: list data sets, methods, encoders and runs."""

from __future__ import annotations

import argparse
import json
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cl_core.cli.options import Commands, add_command, add_json
from cl_core.errors import UserError

if TYPE_CHECKING:
    from cl_core.runs.folder import RunFolder
    from cl_core.words.folder import WordFolder


def add_parser(commands: Commands) -> None:
    parser = add_command(commands, "list", show_list, "List data sets, methods, encoders, checkpoints and runs.")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of runs (default: runs)")
    add_json(parser)


def show_list(arguments: argparse.Namespace) -> int:
    from cl_core.data.bundled import TABLES
    from cl_core.data.registry import dataset_names
    from cl_core.networks.encoders.registry import ENCODERS
    from cl_core.networks.methods import TRAINABLE
    from cl_core.runs.folder import run_paths
    from cl_core.runs.hub_cache import pulled_runs
    from cl_core.runs.store import encoder_runs, local_runs, shipped_runs
    from cl_core.words.folder import WordFolder, shipped_words

    listing: dict[str, list[dict[str, Any]]] = {
        "datasets": [_describe_dataset(name) for name in [*dataset_names(), *TABLES]],
        "methods": [{"name": name} for name in TRAINABLE],
        "encoders": [{"name": name} for name in ENCODERS],
        "checkpoints": [_describe_run(folder, folder.name) for folder in shipped_runs()],
        "runs": [_describe_run(folder, str(folder.path)) for folder in local_runs(arguments.runs)],
        "pulled": [_describe_run(folder, folder.name) for folder in pulled_runs()],
        "public encoders": [_describe_run(folder, folder.name) for folder in encoder_runs()],
        "words": [
            *(_describe_words(folder, folder.name) for folder in shipped_words()),
            *(_describe_words(WordFolder(path), str(path)) for path in run_paths(arguments.runs, "words")),
        ],
    }
    if arguments.json:
        print(json.dumps(listing, indent=2))
        return 0
    for heading, rows in listing.items():
        print(heading)
        for line in _columns([list(map(_cell, row.values())) for row in rows or [{"name": "(none)"}]]):
            print(f"  {line}")
    return 0


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"kNN {value:.1%}"
    return "" if value is None else str(value)


def _columns(rows: list[list[str]]) -> list[str]:
    """Rows of cells as lines; the cells of a column have one width, but for the last ones."""
    widths = [max(map(len, column)) for column in zip_longest(*(row[:-1] for row in rows), fillvalue="")]
    padded = ([*(f"{cell:<{width}}" for cell, width in zip(row[:-1], widths, strict=False)), row[-1]] for row in rows)
    return ["  ".join(row).rstrip() for row in padded]


def _describe_dataset(name: str) -> dict[str, Any]:
    from cl_core.data.bundled import TABLES
    from cl_core.data.registry import load_dataset

    if name in TABLES:
        table = TABLES[name]()
        return {"name": name, "content": f"{len(table.values):,} rows x {table.values.shape[1]}", "license": table.license}
    try:
        data = load_dataset(name)
    except UserError as error:
        return {"name": name, "state": "damaged", "problem": str(error)}
    return {"name": name, "content": f"{len(data):,} images {data.size}x{data.size}", "license": data.license}


def _describe_run(folder: RunFolder, name: str) -> dict[str, Any]:
    from cl_core.evaluation.knn import KnnResult

    try:
        record = folder.read_record()
    except UserError as error:
        return {"name": name, "state": "damaged", "problem": str(error)}
    knn = KnnResult.from_metrics(record.metrics.get("knn"))
    return {
        "name": name,
        "state": record.state,
        "dataset": record.config.dataset,
        "method": record.config.method,
        "steps": f"{record.step}/{record.total_steps}",
        "knn": knn and round(knn.accuracy, 4),
        "protocol": knn and knn.split(),
    }


def _describe_words(folder: WordFolder, name: str) -> dict[str, Any]:
    try:
        record = folder.read_record()
    except UserError as error:
        return {"name": name, "state": "damaged", "problem": str(error)}
    return {
        "name": name,
        "state": record.state,
        "text": record.config.text,
        "loss": record.config.loss,
        "steps": f"{record.step}/{record.total_steps}",
        "words": record.words,
    }
