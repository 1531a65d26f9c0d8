"""Features of the small run, computed once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from torch import Tensor

from cl_core.data.registry import load_dataset
from cl_core.runs.folder import RunFolder
from cl_core.runs.store import open_run, run_features


@dataclasses.dataclass(frozen=True)
class Small:
    folder: Path
    features: Tensor


@pytest.fixture(scope="session")
def small(small_run: Path) -> Small:
    return Small(small_run, run_features(open_run(RunFolder(small_run)), load_dataset("digits").images))
