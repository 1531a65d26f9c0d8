"""`save`: write features, neighbors, doubtful images, the encoder or the map of a model to a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from cl_core.cli.options import Commands, add_checkpoint, add_command

KINDS = ("features", "neighbors", "review", "encoder", "map")


def add_parser(commands: Commands) -> None:
    description = (
        "Write a model's features (.csv, .npz, .parquet), neighbors, review (.csv), encoder (.onnx, .pt2) or map (.html)."
    )
    parser = add_command(commands, "save", save, description)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("file", type=Path, metavar="FILE", help="it must not exist yet")
    add_checkpoint(parser)


def save(arguments: argparse.Namespace) -> int:
    from cl_core.explore.files import save as save_file
    from cl_core.explore.model import Model
    from cl_core.runs.store import find_run

    path = save_file(Model(find_run(arguments.checkpoint)), arguments.kind, arguments.file)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    return 0
