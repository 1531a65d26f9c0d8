"""`sweep`: one run for every combination of settings, as a table and a heat map."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cl_core.cli.options import Commands, add_command, add_device, add_json
from cl_core.errors import UserError
from cl_core.runs.options import add_settings, given_settings

if TYPE_CHECKING:
    from cl_core.training.sweep import CellResult


def add_parser(commands: Commands) -> None:
    from cl_core.runs.config import RunConfig

    description = "Train every combination of the values given, e.g. --lr 1e-3 3e-3 --batch-size 128 256."
    parser = add_command(commands, "sweep", sweep, description)
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="folder of the runs, the table and the heat map")
    add_device(parser)
    add_settings(parser, RunConfig, several=True)
    add_json(parser)


def sweep(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from cl_core.runs.config import RunConfig
    from cl_core.system.device import choose_device
    from cl_core.system.files import write_json
    from cl_core.system.stop import StopRequest
    from cl_core.training.loop import StepDone
    from cl_core.training.sweep import plan, result, run_cell

    settings, grid = _split(given_settings(arguments, RunConfig))
    if not grid:
        raise UserError("cli.sweep_without_values")
    cells = plan(arguments.run, grid, settings)
    device, stop = choose_device(arguments.device), StopRequest()
    for number, cell in enumerate(cells, 1):
        with tqdm(unit="step", desc=f"{number}/{len(cells)} {cell.name}", file=sys.stderr) as bar:
            events = run_cell(cell, settings, device)
            for event in events:
                if isinstance(event, StepDone):
                    bar.update(event.step - bar.n)
                    if stop.requested:
                        events.close()
                        bar.close()
                        print(f"\nStopped in {cell.name}; the same command resumes from there.", file=sys.stderr)
                        return 130
    results = [result(cell) for cell in cells]
    table = [
        r.cell.values | {"knn": r.accuracy, "protocol": r.split, "state": r.state, "run": r.cell.name, "sentence": r.sentence}
        for r in results
    ]
    write_json(arguments.run / "sweep.json", table)
    splits = list(dict.fromkeys(r.split for r in results if r.split))
    drawn = len(grid) <= 2 and len(splits) <= 1  # one color scale for accuracies that can be compared
    heat_map = arguments.run / "sweep.html"
    heat_map.unlink(missing_ok=True)  # of an earlier sweep
    if drawn:
        _write_heat_map(heat_map, grid, results)
    if arguments.json:
        print(json.dumps(table, indent=2))
        return 0
    for split in [*splits, *([""] if any(not r.split for r in results) else [])]:
        _print_table(grid, [r for r in results if r.split == split], split)
    print(f"Table: {arguments.run / 'sweep.json'}" + (f", heat map: {heat_map}" if drawn else ""))
    return 0


def _print_table(grid: dict[str, list[Any]], results: list[CellResult], split: str) -> None:
    """Print cells whose accuracies were measured alike."""
    print(f"kNN: {split}" if split else "No accuracy:")
    print("  ".join(f"{name:>12}" for name in grid) + f"  {'kNN':>8}  state")
    best = max((r.accuracy for r in results if r.accuracy is not None), default=None)
    for r in results:
        accuracy = "" if r.accuracy is None else f"{r.accuracy:.2%}"
        mark = "  <- best" if r.accuracy is not None and r.accuracy == best else ""
        print("  ".join(f"{value!s:>12}" for value in r.cell.values.values()) + f"  {accuracy:>8}  {r.state}{mark}")


def _split(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Settings with one value, and those with several."""
    settings: dict[str, Any] = {}
    grid: dict[str, list[Any]] = {}
    for name, values in given.items():
        if isinstance(values, dict):
            settings[name], several = _split(values)
            if several:
                raise UserError("cli.nested_sweep", name=f"{name}.{next(iter(several))}")
        elif len(values) == 1:
            settings[name] = values[0]
        else:
            grid[name] = values
    return settings, grid


def _write_heat_map(path: Path, grid: dict[str, list[Any]], results: list[CellResult]) -> None:
    from cl_core.figures.page import write_page
    from cl_core.figures.sweep import sweep_figure

    names = list(grid)
    rows = [str(value) for value in dict.fromkeys(r.cell.values[names[0]] for r in results)]
    columns = [str(v) for v in dict.fromkeys(r.cell.values[names[1]] for r in results)] if len(names) > 1 else ["kNN"]
    values = [[r.accuracy for r in results[i * len(columns) : (i + 1) * len(columns)]] for i in range(len(rows))]
    labels = {"rows": names[0], "columns": names[1] if len(names) > 1 else "", "title": "kNN accuracy after the last step"}
    write_page(sweep_figure(rows, columns, values, labels), path)
