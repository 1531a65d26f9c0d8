"""What all figures share. The palette is Okabe and Ito's (2008), told apart by color-blind readers."""

from __future__ import annotations

from typing import Any

TRAINED = "#0072B2"
UNTRAINED = "#999999"
POSITIVE = "#009E73"
NEGATIVE = "#D55E00"
ACCENT = "#CC79A7"
CATEGORIES = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9",
    "#D55E00", "#8C6BB1", "#A6761D", "#66A61E", "#7F7F7F",
)  # fmt: skip
# Cosines from -1 to 1: blue is alike, orange is opposite, the middle takes the paper's place.
DIVERGING = [[0.0, "#B35806"], [0.25, "#F1A340"], [0.5, "#F7F7F7"], [0.75, "#67A9CF"], [1.0, "#053061"]]


def layout(**changes: Any) -> dict[str, Any]:
    """Margins and behavior every figure starts from."""
    base: dict[str, Any] = {
        "margin": {"l": 56, "r": 16, "t": 36, "b": 48},
        "hovermode": "closest",
        "legend": {"orientation": "h", "y": -0.2, "x": 0},
        "uirevision": "keep",
    }
    return base | changes
