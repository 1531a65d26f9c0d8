"""Which of two runs is better, by how much, and whether the difference can be told from chance."""

from __future__ import annotations

import dataclasses
from typing import Any

from torch import Tensor

from cl_core.runs.config import RunConfig

CERTAIN = 1.96  # standard errors of a 95 % interval
ASIDE = {"seed", "snapshots", "precision", "compile"}  # settings that are not what one compares


@dataclasses.dataclass(frozen=True)
class Difference:
    """The accuracy of a second run minus that of a first, by one protocol.

    Attributes:
        gap: in -1 to 1. error: half the width of its 95 % interval.
    """

    gap: float
    error: float

    @property
    def certain(self) -> bool:
        return abs(self.gap) > self.error


def difference(first: Tensor, second: Tensor) -> Difference:
    """Compare the answers of two runs to the same queries, each (Q,) bool: whether it is right.

    The interval is that of a mean of paired differences: queries with equal answers contribute 0.
    """
    gaps = second.double() - first.double()
    return Difference(float(gaps.mean()), CERTAIN * float(gaps.std(correction=0)) / max(1, len(gaps)) ** 0.5)


def differing_settings(first: RunConfig, second: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Settings in which two runs differ, by name; those of the augmentation have a dot."""
    return {name: (a, b) for name, (a, b) in _pairs(first.model_dump(), second.model_dump()).items() if a != b}


def _pairs(first: dict[str, Any], second: dict[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for name, value in first.items():
        if name in ASIDE:
            continue
        if isinstance(value, dict):
            found |= _pairs(value, second[name], f"{prefix}{name}.")
        else:
            found[prefix + name] = (value, second[name])
    return found
