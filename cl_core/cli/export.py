"""`export`: write a run for sharing."""

from __future__ import annotations

import argparse
from pathlib import Path

from cl_core.cli.options import Commands, add_command, program


def add_parser(commands: Commands) -> None:
    description = "Write a finished run to a small folder for sharing; it opens like any other."
    parser = add_command(commands, "export", export, description)
    parser.add_argument("--run", required=True, metavar="NAME|DIR", help="a run folder or a shipped checkpoint")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="the folder to write; it must not exist yet")


def export(arguments: argparse.Namespace) -> int:
    from cl_core.runs.export import export_run
    from cl_core.runs.store import find_run

    folder = export_run(find_run(arguments.run), arguments.to)
    size = sum(file.stat().st_size for file in folder.path.iterdir())
    print(f"{folder.path}: {size / 1e6:.2f} MB. Its maps: {program()} project --checkpoint {folder.path}")
    return 0
