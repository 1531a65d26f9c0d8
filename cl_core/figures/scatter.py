"""Maps: images as points, colored by label."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from torch import Tensor

from cl_core.figures.style import CATEGORIES, layout


def map_figure(points: Tensor, families: Tensor, names: list[str]) -> go.Figure:
    """A scatter plot with one trace for each coarse label, which the legend switches on and off.

    Args:
        points: (P, 2). families: (P,) int64, index into `names`, the coarse labels.
    """
    figure = go.Figure()
    for family, name in enumerate(names):
        members = (families == family).nonzero()[:, 0]
        if len(members) == 0:
            continue
        figure.add_scattergl(
            x=points[members, 0].numpy().round(4),
            y=points[members, 1].numpy().round(4),
            customdata=members.tolist(),
            mode="markers",
            name=name,
            hoverinfo="none",
            marker={"size": 5.5, "opacity": 0.8, "color": CATEGORIES[family % len(CATEGORIES)]},
        )
    axis: dict[str, Any] = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "showline": False}
    figure.update_layout(
        layout(
            height=620,
            dragmode="pan",
            xaxis=axis,
            yaxis=axis | {"scaleanchor": "x"},
            margin={"l": 8, "r": 8, "t": 8, "b": 8},
            legend={"orientation": "h", "y": -0.02, "x": 0, "itemsizing": "constant"},
        )
    )
    return figure
