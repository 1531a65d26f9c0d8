"""Colors and layout of all figures. The palette of Okabe and Ito (2008) is distinguishable with color blindness."""

from __future__ import annotations

from typing import Any

TRAINED = "#0072B2"
UNTRAINED = "#999999"
POSITIVE = "#009E73"
NEGATIVE = "#D55E00"
ACCENT = "#CC79A7"
PERCENT = "~%"  # ticks with the digits they need: rounded to whole percents, close ones read alike
PERCENT_HOVER = ".1%"
CATEGORIES = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9",
    "#D55E00", "#8C6BB1", "#A6761D", "#66A61E", "#7F7F7F",
)  # fmt: skip


def layout(**changes: Any) -> dict[str, Any]:
    """The base layout of every figure, with changes."""
    base: dict[str, Any] = {
        "margin": {"l": 56, "r": 16, "t": 36, "b": 48},
        "hovermode": "closest",
        "legend": {"orientation": "h", "y": -0.2, "x": 0},
        "uirevision": "keep",
    }
    return base | changes
