"""Sweeps: one run for each combination of settings, in a folder of its own, which resumes and opens like any run."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from cl_core.errors import UserError
from cl_core.evaluation.knn import KnnResult
from cl_core.runs.config import RunConfig
from cl_core.runs.events import DivergedError
from cl_core.runs.folder import RunFolder
from cl_core.training import recorder
from cl_core.training.loop import Event


@dataclasses.dataclass(frozen=True)
class Cell:
    """One combination: the values of the swept settings, and the folder of its run."""

    values: dict[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name


@dataclasses.dataclass(frozen=True)
class CellResult:
    """State of a cell.

    Attributes:
        accuracy: kNN in [0, 1]; None before the end and after a divergence.
        split: data set, queries and gallery of the accuracy: only cells with the same one can be compared.
        sentence: its health.
    """

    cell: Cell
    state: str
    accuracy: float | None
    split: str
    sentence: str


def plan(root: Path, grid: Mapping[str, Sequence[Any]], settings: dict[str, Any]) -> list[Cell]:
    """Every combination of `grid` (setting -> values), validated before any training.

    Raises:
        UserError: a value is given twice.
        ValidationError: a value is out of range.
    """
    cells = []
    for combination in itertools.product(*grid.values()):
        given = dict(zip(grid, combination, strict=True))
        config = RunConfig.model_validate(settings | given)
        values = {name: getattr(config, name) for name in grid}
        name = ",".join(f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items())
        cells.append(Cell(values, root / name.replace("/", "-")))  # encoders of timm have a slash
    if len({cell.name for cell in cells}) < len(cells):
        raise UserError("training.duplicate_value")
    return cells


def run_cell(cell: Cell, settings: dict[str, Any], device: torch.device) -> Generator[Event]:
    """Train or resume a cell; a finished or diverged one yields nothing.

    Closing this generator saves the cell, and the next call resumes it.
    """
    try:
        recording = recorder.start(cell.folder, settings | cell.values, device)
        if recording is not None:
            yield from recording.events()
    except DivergedError:
        return  # stored as the state of the run


def result(cell: Cell) -> CellResult:
    """The result stored in a cell's folder."""
    folder = RunFolder(cell.folder)
    if not folder.exists():
        return CellResult(cell, "not started", None, "", "")
    record = folder.read_record()
    finished = record.state == "finished"
    knn = KnnResult.from_metrics(record.metrics.get("knn")) if finished else None
    accuracy, split = (knn.accuracy, f"{record.config.dataset}, {knn.split()}") if knn else (None, "")
    return CellResult(cell, record.state, accuracy, split, record.metrics.get("health", {}).get("sentence", ""))
