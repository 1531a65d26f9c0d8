"""A sweep: one run a combination of settings, each in a folder of its own, so that it resumes and can be opened like any run."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from cl_core.errors import UserError
from cl_core.runs.config import RunConfig
from cl_core.runs.folder import RunFolder
from cl_core.training import recorder as sessions
from cl_core.training.loop import DivergedError, Event


@dataclasses.dataclass(frozen=True)
class Cell:
    """One combination: the settings that vary, and the folder of its run."""

    values: dict[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name


@dataclasses.dataclass(frozen=True)
class CellResult:
    """What is known of a cell. accuracy: kNN in [0, 1], None before the end and where it diverged."""

    cell: Cell
    state: str
    accuracy: float | None
    words: str


def plan(root: Path, grid: Mapping[str, Sequence[Any]], settings: dict[str, Any]) -> list[Cell]:
    """Every combination of `grid` (setting -> values), checked before anything is trained.

    Raises:
        UserError: a value is there twice.
        ValidationError: a value is out of range.
    """
    cells = []
    for combination in itertools.product(*grid.values()):
        given = dict(zip(grid, combination, strict=True))
        config = RunConfig.model_validate(settings | given)
        values = {name: getattr(config, name) for name in grid}
        name = ",".join(f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items())
        cells.append(Cell(values, root / name))
    if len({cell.name for cell in cells}) < len(cells):
        raise UserError("A value of the sweep is there twice: give each once.")
    return cells


def run_cell(cell: Cell, settings: dict[str, Any], device: torch.device) -> Generator[Event]:
    """Train a cell from where it is; a finished or diverged one is passed over.

    Closing this generator saves the cell; the next call goes on from there.
    """
    try:
        session = sessions.start(cell.folder, settings | cell.values, device)
        if session is not None:
            yield from session.events()
    except DivergedError:
        return  # its folder says so


def result(cell: Cell) -> CellResult:
    """What the cell's folder holds."""
    folder = RunFolder(cell.folder)
    if not folder.exists():
        return CellResult(cell, "not started", None, "")
    record = folder.read_record()
    finished = record.state == "finished"
    accuracy = record.metrics["knn"]["accuracy"] if finished and "knn" in record.metrics else None
    return CellResult(cell, record.state, accuracy, record.metrics.get("health", {}).get("words", ""))
