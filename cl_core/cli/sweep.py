"""`sweep`: a run for every combination of settings, as a table and a heat map."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from cl_core.cli.stop import StopRequest
from cl_core.errors import UserError
from cl_core.runs.options import given_settings


def sweep(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from cl_core.runs.config import RunConfig
    from cl_core.system.device import choose_device
    from cl_core.system.files import write_json
    from cl_core.training.loop import StepDone
    from cl_core.training.sweep import CellResult, plan, result, run_cell

    settings, grid = _split(given_settings(arguments, RunConfig))
    if not grid:
        raise UserError("A sweep needs a setting with several values, for example --lr 1e-3 3e-3.")
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
                        print(f"\nStopped in {cell.name}; the same command goes on from there.", file=sys.stderr)
                        return 130
    results: list[CellResult] = [result(cell) for cell in cells]
    table = [r.cell.values | {"knn": r.accuracy, "state": r.state, "run": r.cell.name, "words": r.words} for r in results]
    write_json(arguments.run / "sweep.json", table)
    if len(grid) <= 2:
        _write_heat_map(arguments.run / "sweep.html", grid, results)
    if arguments.json:
        print(json.dumps(table, indent=2))
        return 0
    print("  ".join(f"{name:>12}" for name in grid) + f"  {'kNN':>8}  state")
    best = max((r.accuracy for r in results if r.accuracy is not None), default=None)
    for r in results:
        accuracy = "" if r.accuracy is None else f"{r.accuracy:.2%}"
        mark = "  <- best" if r.accuracy is not None and r.accuracy == best else ""
        print("  ".join(f"{value!s:>12}" for value in r.cell.values.values()) + f"  {accuracy:>8}  {r.state}{mark}")
    print(f"Table: {arguments.run / 'sweep.json'}" + (f", heat map: {arguments.run / 'sweep.html'}" if len(grid) <= 2 else ""))
    return 0


def _split(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Settings with one value, and those with several."""
    settings: dict[str, Any] = {}
    grid: dict[str, list[Any]] = {}
    for name, values in given.items():
        if isinstance(values, dict):
            settings[name], several = _split(values)
            if several:
                raise UserError(f"{name}.{next(iter(several))} cannot be swept: give it one value.")
        elif len(values) == 1:
            settings[name] = values[0]
        else:
            grid[name] = values
    return settings, grid


def _write_heat_map(path: Any, grid: dict[str, list[Any]], results: list[Any]) -> None:
    from cl_core.figures.page import write_page
    from cl_core.figures.sweep import sweep_figure

    names = list(grid)
    rows = [str(value) for value in dict.fromkeys(r.cell.values[names[0]] for r in results)]
    columns = [str(v) for v in dict.fromkeys(r.cell.values[names[1]] for r in results)] if len(names) > 1 else ["kNN"]
    values = [[r.accuracy for r in results[i * len(columns) : (i + 1) * len(columns)]] for i in range(len(rows))]
    words = {"rows": names[0], "columns": names[1] if len(names) > 1 else "", "title": "kNN accuracy after the last step"}
    write_page(sweep_figure(rows, columns, values, words), path)
