"""Rows of the table of figures: what was asked, what was measured, whether it is met."""

from __future__ import annotations

import dataclasses
from typing import Any


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
