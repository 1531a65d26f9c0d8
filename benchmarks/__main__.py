"""All performance targets of the project, measured on this machine.

    python -m benchmarks [--json FILE] [--vendor FOLDER ...] [--skip-growth]

Prints the table with versions and hardware; with --json also all numbers behind it. Draws the growth curves into
`assets/benchmarks/`. Takes about a quarter of an hour on two cores and is best left alone meanwhile.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path

from benchmarks import accelerator, growth, hardware, losses, search, shipped, step
from benchmarks.table import Row
from cl_core.system.files import write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--vendor", nargs="+", type=Path, default=[], metavar="FOLDER", help="other vendors' emoji")
    parser.add_argument("--skip-growth", action="store_true", help="leave the curves in assets/benchmarks/ as they are")
    arguments = parser.parse_args()
    made_on = hardware.describe()
    for name, value in made_on.items():
        print(f"{name:<14}{value}")
    print(flush=True)
    parts: dict[str, Callable[[], list[Row]]] = {
        "losses": losses.rows,
        "step": step.rows,
        "accelerator": accelerator.rows,
        "search": search.rows,
        "shipped": lambda: shipped.rows(arguments.vendor),
    }
    found: dict[str, list[Row]] = {}
    for name, rows in parts.items():
        found[name] = rows()
        for row in found[name]:
            print(row.line(), flush=True)
    if arguments.json:
        table = {name: [dataclasses.asdict(row) for row in rows] for name, rows in found.items()}
        write_json(arguments.json, {"hardware": made_on, "figures": table})
    if not arguments.skip_growth:
        growth.main()


if __name__ == "__main__":
    main()
