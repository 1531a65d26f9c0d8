"""The similarity matrix of a batch's 2N views."""

from __future__ import annotations

import plotly.graph_objects as go
from torch import Tensor

from cl_core.figures.style import DIVERGING, POSITIVE, layout


def similarity_figure(cosines: Tensor, title: str) -> go.Figure:
    """Heat map of (M, M) cosines, views stacked `[first; second]`; positives are framed."""
    count = len(cosines)
    positions = list(range(count))
    figure = go.Figure(
        go.Heatmap(
            z=cosines.numpy(),
            x=positions,
            y=positions,
            zmin=-1,
            zmax=1,
            colorscale=DIVERGING,
            hoverinfo="none",
            xgap=0.5,
            ygap=0.5,
            colorbar={"thickness": 10, "len": 0.9, "tickvals": [-1, 0, 1], "outlinewidth": 0},
        )
    )
    half = count // 2
    partner = [(row + half) % count for row in range(count)]
    figure.add_scatter(
        x=partner,
        y=positions,
        mode="markers",
        marker={"symbol": "square-open", "size": max(4.0, 230 / count), "color": POSITIVE, "line": {"width": 2}},
        hoverinfo="skip",
        showlegend=False,
    )
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "showline": False, "constrain": "domain"}
    figure.update_layout(
        layout(
            title={"text": title, "x": 0.02, "font": {"size": 14}},
            margin={"l": 12, "r": 8, "t": 40, "b": 12},
            height=420,
            xaxis=axis | {"range": [-0.5, count - 0.5]},
            yaxis=axis | {"range": [count - 0.5, -0.5], "scaleanchor": "x"},
        )
    )
    return figure
