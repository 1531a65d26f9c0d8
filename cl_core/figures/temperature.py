"""What the temperature does to one row of the similarity matrix."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.subplots import make_subplots
from torch import Tensor

from cl_core.figures.style import NEGATIVE, POSITIVE, TRAINED, layout


def row_figure(cosines: Tensor, probabilities: Tensor, gradient: Tensor, is_positive: Tensor, words: dict[str, str]) -> go.Figure:
    """Three bar charts over the other views of a batch, the most alike first.

    Args:
        cosines, probabilities, gradient: (M,) values of one row, self pair left out, already sorted.
        is_positive: (M,) bool.
        words: captions: `cosines`, `probabilities`, `gradient`, `views`.
    """
    figure = make_subplots(
        rows=3,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.09,
        subplot_titles=[words["cosines"], words["probabilities"], words["gradient"]],
    )
    colours = [POSITIVE if positive else NEGATIVE for positive in is_positive.tolist()]
    order = list(range(1, len(cosines) + 1))
    for row, values in enumerate((cosines, probabilities, gradient), 1):
        figure.add_bar(x=order, y=values.tolist(), marker={"color": colours}, hoverinfo="none", showlegend=False, row=row, col=1)
    figure.update_yaxes(range=[min(-0.1, float(cosines.min())), 1], row=1, col=1)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", row=2, col=1)
    figure.update_xaxes(title_text=words["views"], row=3, col=1)
    figure.update_layout(layout(height=560, bargap=0.15))
    return figure


def loss_over_temperature(
    temperatures: list[float], losses: list[float], now: float, loss_now: float, chance: float, words: dict[str, str]
) -> go.Figure:
    """The batch's loss over the temperature, with the present one and the chance level marked.

    Args:
        words: captions: `loss`, `temperature`, `chance`.
    """
    figure = go.Figure(go.Scatter(x=temperatures, y=losses, mode="lines", line={"color": TRAINED, "width": 2}, showlegend=False))
    figure.add_scatter(x=[now], y=[loss_now], mode="markers", marker={"size": 12, "color": NEGATIVE}, showlegend=False)
    figure.add_hline(y=chance, line={"dash": "dot", "width": 1.5, "color": NEGATIVE}, annotation_text=words["chance"])
    figure.update_xaxes(type="log", title_text=words["temperature"], tickvals=[0.01, 0.03, 0.1, 0.3, 1, 3, 10])
    figure.update_yaxes(title_text=words["loss"], rangemode="tozero")
    figure.update_layout(layout(height=300))
    return figure
