"""The similarity matrix of a batch: anchors by candidates, as a method's loss compares them."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from torch import Tensor

from cl_core.figures.style import DIVERGING, POSITIVE, layout

VEIL = "rgba(128,128,128,0.62)"


def similarity_figure(cosines: Tensor, positive: Tensor, compared: Tensor, title: str) -> go.Figure:
    """Heat map of (R, C) similarities; positives are framed, pairs the loss does not compare are veiled.

    Args:
        positive, compared: (R, C) bool.
    """
    rows, columns = cosines.shape
    limit = max(1.0, float(cosines.abs().max()))
    across, down = list(range(columns)), list(range(rows))
    traces: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "z": cosines.numpy().round(4),
            "x": across,
            "y": down,
            "zmin": -limit,
            "zmax": limit,
            "colorscale": DIVERGING,
            "hoverinfo": "none",
            "xgap": 0.5,
            "ygap": 0.5,
            "colorbar": {"thickness": 10, "len": 0.9, "tickvals": [-round(limit), 0, round(limit)], "outlinewidth": 0},
        }
    ]
    if not compared.all():
        veil = [[None if known else 1 for known in row] for row in compared.tolist()]
        traces.append(
            {
                "type": "heatmap",
                "z": veil,
                "x": across,
                "y": down,
                "colorscale": [[0, VEIL], [1, VEIL]],
                "showscale": False,
                "hoverinfo": "none",
                "hoverongaps": False,
            }
        )
    at = positive.nonzero()
    size = max(3.0, 230 / max(rows, columns))
    marker = {"symbol": "square-open", "size": size, "color": POSITIVE, "line": {"width": 2 if size > 5 else 1.5}}
    frames = {"type": "scatter", "mode": "markers", "marker": marker, "hoverinfo": "skip", "showlegend": False}
    traces.append(frames | {"x": at[:, 1].tolist(), "y": at[:, 0].tolist()})
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "showline": False, "constrain": "domain"}
    return go.Figure(
        {
            "data": traces,
            "layout": layout(
                title={"text": title, "x": 0.02, "font": {"size": 14}},
                margin={"l": 12, "r": 8, "t": 40, "b": 12},
                height=round(60 + 360 * min(1.0, max(0.4, rows / columns))),
                xaxis=axis | {"range": [-0.5, columns - 0.5]},
                yaxis=axis | {"range": [rows - 0.5, -0.5], "scaleanchor": "x"},
            ),
        }
    )
