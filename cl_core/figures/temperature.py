"""What the temperature does to one row of the similarity matrix.

These figures follow a slider, so each is put together in one piece: plotly checks every later change anew.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from torch import Tensor

from cl_core.figures.style import NEGATIVE, POSITIVE, TRAINED, layout

PANELS = ((0.73, 1.0), (0.365, 0.635), (0.0, 0.27))  # from the top, in shares of the height


def row_figure(cosines: Tensor, probabilities: Tensor, gradient: Tensor, is_positive: Tensor, words: dict[str, str]) -> go.Figure:
    """Three bar charts over the other views of a batch, the most alike first.

    Args:
        cosines, probabilities, gradient: (M,) values of one row, self pair left out, already sorted.
        is_positive: (M,) bool.
        words: captions: `cosines`, `probabilities`, `gradient`, `views`.
    """
    colours = [POSITIVE if positive else NEGATIVE for positive in is_positive.tolist()]
    order = list(range(1, len(cosines) + 1))
    panels = (("cosines", cosines), ("probabilities", probabilities), ("gradient", gradient))
    bars, axes, titles = [], {}, []
    scales: tuple[dict[str, Any], ...] = (
        {"range": [min(-0.1, float(cosines.min())), 1]},
        {"range": [0, 1.02], "tickformat": ".0%"},
        {},
    )
    for number, ((key, values), domain, scale) in enumerate(zip(panels, PANELS, scales, strict=True), 1):
        suffix = "" if number == 1 else str(number)
        bars.append(
            {
                "type": "bar",
                "x": order,
                "y": values.tolist(),
                "marker": {"color": colours},
                "hoverinfo": "none",
                "xaxis": "x",
                "yaxis": f"y{suffix}",
            }
        )
        axes[f"yaxis{suffix}"] = scale | {"domain": domain}
        titles.append(
            {"text": words[key], "x": 0.5, "y": domain[1], "xref": "paper", "yref": "paper"}
            | {"yanchor": "bottom", "showarrow": False, "font": {"size": 14}}
        )
    axes["xaxis"] = {"title": {"text": words["views"]}, "anchor": "y3"}
    return go.Figure({"data": bars, "layout": layout(height=560, bargap=0.15, showlegend=False, annotations=titles, **axes)})


def loss_over_temperature(
    temperatures: list[float], losses: list[float], now: float, loss_now: float, chance: float, words: dict[str, str]
) -> go.Figure:
    """The batch's loss over the temperature, with the present one and the chance level marked.

    Args:
        words: captions: `loss`, `temperature`, `chance`.
    """
    ends = [temperatures[0], temperatures[-1]]
    return go.Figure(
        {
            "data": [
                {"type": "scatter", "x": temperatures, "y": losses, "mode": "lines", "line": {"color": TRAINED, "width": 2}},
                {
                    "type": "scatter",
                    "x": ends,
                    "y": [chance, chance],
                    "mode": "lines+text",
                    "text": ["", words["chance"]],
                    "textposition": "top left",
                    "line": {"dash": "dot", "width": 1.5, "color": NEGATIVE},
                    "hoverinfo": "skip",
                },
                {"type": "scatter", "x": [now], "y": [loss_now], "mode": "markers", "marker": {"size": 12, "color": NEGATIVE}},
            ],
            "layout": layout(
                height=300,
                showlegend=False,
                xaxis={
                    "type": "log",
                    "title": {"text": words["temperature"]},
                    "tickvals": [0.01, 0.03, 0.1, 0.3, 1, 3, 10],
                },
                yaxis={"title": {"text": words["loss"]}, "rangemode": "tozero"},
            ),
        }
    )
