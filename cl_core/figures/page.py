"""Figures as HTML pages, for the command line."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go


def write_page(figure: go.Figure, path: Path) -> None:
    """Write `path` (.html), and plotly.min.js into its folder, so that the page works without a network."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(path, include_plotlyjs="directory", full_html=True)
