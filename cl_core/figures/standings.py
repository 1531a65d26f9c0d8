"""Scores of compared methods as bars with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from cl_core.figures.style import ACCENT, PERCENT, PERCENT_HOVER, TRAINED, UNTRAINED, layout

COLORS = {"method": TRAINED, "baseline": UNTRAINED, "public": ACCENT}
ROW = 34  # pixels of a bar


def standings_figure(
    names: Sequence[str],
    kinds: Sequence[str],
    scores: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    axis: str,
) -> go.Figure:
    """Horizontal bars, best first.

    Args:
        kinds: "method", "baseline" or "public" of each. scores: in [0, 1]. intervals: (low, high) of each score.
        axis: what a score is.
    """
    figure = go.Figure(
        go.Bar(
            x=list(scores),
            y=list(names),
            orientation="h",
            marker={"color": [COLORS[kind] for kind in kinds]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - score for score, (_, high) in zip(scores, intervals, strict=True)],
                "arrayminus": [score - low for score, (low, _) in zip(scores, intervals, strict=True)],
            },
            hovertemplate=f"%{{y}}: %{{x:{PERCENT_HOVER}}}<extra></extra>",
        )
    )
    figure.update_layout(
        layout(
            height=ROW * len(names) + 90,
            margin={"l": 150, "r": 16, "t": 12, "b": 48},
            xaxis={"title": axis, "tickformat": PERCENT, "rangemode": "tozero"},
            yaxis={"autorange": "reversed", "type": "category"},
            showlegend=False,
        )
    )
    return figure
