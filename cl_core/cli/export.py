"""`export`: a run made fit to be shared."""

from __future__ import annotations

import argparse


def export(arguments: argparse.Namespace) -> int:
    from cl_core.runs.export import export_run
    from cl_core.runs.store import find_run

    folder = export_run(find_run(arguments.run), arguments.to)
    size = sum(file.stat().st_size for file in folder.path.iterdir())
    print(f"{folder.path}: {size / 1e6:.2f} MB. Its maps: python -m cl_core project --checkpoint {folder.path}")
    return 0
