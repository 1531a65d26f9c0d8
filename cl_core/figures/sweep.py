"""Accuracies of a sweep as a heat map."""

from __future__ import annotations

import plotly.graph_objects as go

from cl_core.figures.style import layout


def sweep_figure(rows: list[str], columns: list[str], values: list[list[float | None]], captions: dict[str, str]) -> go.Figure:
    """A heat map.

    Args:
        rows, columns: values of the two settings. values: (len(rows), len(columns)), accuracies in [0, 1] or None.
        captions: `rows`, `columns`, `title`.
    """
    text = [["" if v is None else f"{v:.1%}" for v in line] for line in values]
    figure = go.Figure(
        go.Heatmap(z=values, x=columns, y=rows, text=text, texttemplate="%{text}", colorscale="Viridis", hoverongaps=False)
    )
    figure.update_layout(
        layout(
            title=captions["title"],
            height=90 * len(rows) + 200,
            xaxis={"title": captions["columns"], "type": "category"},
            yaxis={"title": captions["rows"], "type": "category", "autorange": "reversed"},
        )
    )
    return figure
