"""Figures as pages of their own, for the command line: one HTML file, plotly's script beside it."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go


def write_page(figure: go.Figure, path: Path) -> None:
    """Write `path` (.html) and, once a folder, plotly.min.js; works without network."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(path, include_plotlyjs="directory", full_html=True)
