"""Plotly figures with clicks that reach Python, and a card of images under the pointer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from cl_core.ui.components.base import module_component
from cl_core.ui.urls import file_url


def plotly_script() -> Path:
    """plotly.js as the plotly package carries it."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def figure_view(value: dict[str, Any] | None = None, **props: Any) -> gr.HTML:
    """Draws Plotly figures side by side where there is room; make the value with `figures_value`.

    Event `point_click`: `{"id": customdata, "x": ..., "y": ...}` of the point that was clicked.
    """
    return module_component("figure_view", value, events=("point_click",), plotly_url=file_url(plotly_script()), **props)


def figures_value(*figures: Any, label: str, card: str = "", **content: Any) -> dict[str, Any]:
    """The value of a `figure_view`.

    Args:
        figures: `plotly.graph_objects.Figure`, drawn side by side.
        label: for screen readers.
        card: `words` shows `names` and `lines`, by a point's customdata, in a card under the pointer; empty is Plotly's
            own hover.
    """
    drawn = [json.loads(figure.to_json()) for figure in figures]
    plain = [{"data": figure["data"], "layout": _without_template(figure["layout"])} for figure in drawn]
    return {"figures": plain, "label": label.replace("*", ""), "card": card, **content}


def _without_template(layout: dict[str, Any]) -> dict[str, Any]:
    # The page's theme takes the template's place; it is also most of a figure's bytes.
    return {key: value for key, value in layout.items() if key != "template"}
