"""How a training went: loss with its chance line, kNN accuracy, learning rate."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cl_core.figures.style import ACCENT, CATEGORIES, UNTRAINED, layout

Metrics = list[dict[str, Any]]


def _of_kind(metrics: Metrics, kind: str) -> Metrics:
    return [point for point in metrics if point["kind"] == kind]


def curves_figure(runs: dict[str, Metrics], baselines: dict[str, float], words: dict[str, str]) -> go.Figure:
    """Three panels over epochs.

    Args:
        runs: the points of `metrics.jsonl` by the name of the run.
        baselines: kNN accuracies in [0, 1] drawn as dashed lines, by name.
        words: captions: `loss`, `chance`, `knn`, `lr`, `epoch`.
    """
    figure = make_subplots(
        rows=3,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.08,
        row_heights=[0.46, 0.32, 0.22],
        subplot_titles=[words["loss"], words["knn"], words["lr"]],
    )
    for (name, metrics), colour in zip(runs.items(), CATEGORIES, strict=False):
        losses, snapshots = _of_kind(metrics, "loss"), _of_kind(metrics, "snapshot")
        epochs = [p["epoch"] for p in losses]
        line = {"color": colour, "width": 2}
        common = {"mode": "lines", "legendgroup": name, "line": line}
        figure.add_scatter(x=epochs, y=[p["loss"] for p in losses], name=name, row=1, col=1, **common)
        figure.add_scatter(
            x=epochs,
            y=[p["chance"] for p in losses],
            name=words["chance"],
            mode="lines",
            line={"color": colour, "width": 1.5, "dash": "dot"},
            row=1,
            col=1,
        )
        figure.add_scatter(
            x=[p["epoch"] for p in snapshots],
            y=[p["knn"]["accuracy"] for p in snapshots],
            name=name,
            showlegend=False,
            row=2,
            col=1,
            **(common | {"mode": "lines+markers"}),
        )
        figure.add_scatter(x=epochs, y=[p["lr"] for p in losses], name=name, showlegend=False, row=3, col=1, **common)
    for (name, accuracy), colour in zip(baselines.items(), (UNTRAINED, ACCENT), strict=False):
        figure.add_hline(
            y=accuracy,
            line={"color": colour, "dash": "dash", "width": 1.5},
            annotation_text=name,
            row=2,
            col=1,
        )
    figure.update_yaxes(tickformat=".0%", row=2, col=1)
    figure.update_yaxes(exponentformat="power", nticks=4, row=3, col=1)
    figure.update_xaxes(title_text=words["epoch"], row=3, col=1)
    figure.update_layout(layout(height=680, hovermode="x unified", legend={"orientation": "h", "y": -0.1, "x": 0}))
    return figure
