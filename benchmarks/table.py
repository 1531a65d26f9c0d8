"""Rows of the table of figures: what was asked, what was measured, whether it is met; and cells of other tables."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Any


def mean_and_spread(values: Sequence[float], digits: int) -> str:
    """Mean ± standard deviation; the mean alone of one value, nothing of none."""
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}" if values else ""


@dataclasses.dataclass(frozen=True)
class Row:
    """met: None where nothing could be measured here. detail: all numbers behind the figure."""

    asked: str
    measured: str
    met: bool | None
    detail: dict[str, Any] = dataclasses.field(default_factory=dict)

    def line(self) -> str:
        mark = {True: "met", False: "NOT MET", None: "open"}[self.met]
        return f"{mark:<8} {self.asked}\n         {self.measured}"
