"""A comparison of methods on one data set: its settings, its results, and their ranking with margins.

With labels, entries are ranked by kNN accuracy, with a linear probe beside it. Without labels, they are ranked by how often two
views of an image find each other among all; that measures what training asks for, so it favors trained networks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cl_core.data.dataset import Dataset
from cl_core.errors import UserError, from_validation
from cl_core.networks.methods import TRAINABLE
from cl_core.runs.config import RunConfig
from cl_core.system.files import read_bytes

FILE = "comparison.json"
EARLIER_FILE = "tournament.json"  # of the first comparisons
MAX_FILE = 50_000_000  # bytes
RESAMPLES = 1_000
USUAL_BATCH = 128
# Settings under which each method learns something in a few minutes; all else is the default of `RunConfig`.
BRIEF: dict[str, dict[str, Any]] = {"simsiam": {"optimizer": "sgd", "lr": 0.05, "batch_size": 64}}
Kind = Literal["baseline", "public", "method"]
State = Literal["running", "stopped", "finished"]
MAX_EPOCHS = 40  # of one run; then further seeds are trained
MAX_SEEDS = 3


class ComparisonConfig(BaseModel):
    """What is compared, and for how long."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    methods: tuple[str, ...] = Field(min_length=1)
    minutes: float = Field(10.0, gt=0, le=24 * 60)
    encoder: str = "small-resnet"

    @field_validator("methods")
    @classmethod
    def _trainable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if each not in TRAINABLE:
                raise ValueError(each)
        return tuple(dict.fromkeys(value))


def checked_config(values: Mapping[str, Any]) -> ComparisonConfig:
    """Settings as they were given.

    Raises:
        UserError: one is out of range or missing.
    """
    try:
        return ComparisonConfig.model_validate(values)
    except ValidationError as error:
        raise from_validation(error) from None


def planned_trainings(config: ComparisonConfig, epoch_s: dict[str, float]) -> dict[str, tuple[int, int]]:
    """Epochs and seeds of each method that fit into the time, if each gets an equal part of it.

    Args:
        epoch_s: estimated seconds of an epoch, by method.
    """
    plan = {}
    for method, seconds in epoch_s.items():
        epochs = int(60 * config.minutes / len(epoch_s) / max(seconds, 1e-9))
        most = max(1, min(MAX_EPOCHS, epochs))
        plan[method] = most, max(1, min(MAX_SEEDS, epochs // most))
    return plan


class Entry(BaseModel):
    """What one network, or raw pixels, reached.

    Attributes:
        name: "pixels", "untrained", a method, or the name of a public encoder.
        epochs: of each seed's training. seconds: of training and measuring.
        right: for each seed, whether each query was answered right (labels), or each image's two views found each other.
        linear: mean accuracy of the linear probe; None without labels.
        rank: effective rank of the features. agreement: fraction of the nearest neighbors shared with the other entries.
        neighbors: rows of the nearest neighbors of the paired images, for the agreement.
        problem: why it has no result.
    """

    name: str
    kind: Kind
    epochs: int = 0
    seconds: float = 0.0
    right: list[list[int]] = []
    linear: float | None = None
    rank: float | None = None
    agreement: float | None = None
    neighbors: list[list[int]] = []
    problem: str = ""

    @property
    def score(self) -> float:
        """Mean over queries and seeds, in [0, 1]."""
        return float(torch.tensor(self.right, dtype=torch.double).mean()) if self.right else math.nan


class ComparisonState(BaseModel):
    """A comparison and how far it is; stored as `comparison.json`.

    Attributes:
        digest: of the images, see `Dataset`.
        measure: "knn", or "pairs" without labels.
        queries, gallery: numbers of images; without labels both are those of the pairs.
        spent: seconds of work so far. doing: the entry that is worked on.
        s_per_step: measured, by method. step, steps: of the training in progress.
    """

    config: ComparisonConfig
    state: State = "running"
    digest: str = ""
    measure: Literal["knn", "pairs"] = "knn"
    queries: int = 0
    gallery: int = 0
    spent: float = 0.0
    doing: str = ""
    s_per_step: dict[str, float] = {}
    step: int = 0
    steps: int = 0
    entries: list[Entry] = []


@dataclasses.dataclass(frozen=True)
class Standing:
    """An entry's place.

    Attributes:
        low, high: 95 % interval of the score, from resampled queries and seeds.
        best: fraction of the resamples in which it is best.
        tied: whether its difference to the first cannot be told from chance (95 %, paired over queries).
    """

    entry: Entry
    low: float
    high: float
    best: float
    tied: bool


def rank_entries(entries: Sequence[Entry]) -> list[Standing]:
    """Entries with a result, best first, with margins by the bootstrap over queries and seeds (Efron 1979)."""
    scored = sorted((each for each in entries if each.right), key=lambda each: -each.score)
    if not scored:
        return []
    generator = torch.Generator().manual_seed(0)
    count = len(scored[0].right[0])
    drawn = torch.randint(count, (RESAMPLES, count), generator=generator)  # the same queries for all entries
    means = []
    for each in scored:
        right = torch.tensor(each.right, dtype=torch.float32)
        seeds = torch.randint(len(right), (RESAMPLES, len(right)), generator=generator)
        means.append(right[seeds].mean(1).gather(1, drawn).mean(1))
    sampled = torch.stack(means)
    first = (sampled == sampled.amax(0)).float()
    best = (first / first.sum(0)).mean(1)  # a tie counts for each of those who share it
    low, high = sampled.quantile(0.025, dim=1).tolist(), sampled.quantile(0.975, dim=1).tolist()
    gaps = (sampled[:1] - sampled).quantile(0.025, dim=1).tolist()
    return [Standing(each, low[i], high[i], float(best[i]), tied=i > 0 and gaps[i] <= 0) for i, each in enumerate(scored)]


def comparison_file(folder: Path) -> Path:
    """The file of the comparison in a folder, which need not exist."""
    earlier = folder / EARLIER_FILE
    return earlier if earlier.exists() and not (folder / FILE).exists() else folder / FILE


def read_comparison(folder: Path) -> ComparisonState | None:
    """The comparison stored in a folder; None where there is none, or a damaged one."""
    with contextlib.suppress(OSError, ValueError, UserError):
        return ComparisonState.model_validate_json(read_bytes(comparison_file(folder), MAX_FILE))
    return None


def run_config(config: ComparisonConfig, method: str, epochs: int, seed: int, dataset: Dataset) -> RunConfig:
    """Settings of one training."""
    settings = {"batch_size": USUAL_BATCH, "temperature": 0.1} | BRIEF.get(method, {})
    settings["batch_size"] = min(settings["batch_size"], max(2, len(dataset.train) // 4))
    return RunConfig(
        dataset=config.dataset, method=method, encoder=config.encoder, epochs=epochs, seed=seed, snapshots=0, **settings
    )
