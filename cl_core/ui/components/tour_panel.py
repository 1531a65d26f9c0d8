"""The panel of the tour: what to do, what to notice, a question and its answer."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.text import texts
from cl_core.ui.components.base import module_component


def tour_panel(steps: list[dict[str, Any]], **props: Any) -> gr.HTML:
    """Shows one step at a time, the one that the page's link names; hidden where it names none.

    Args:
        steps: each {link, title, do, notice, question, answer}.
    """
    return module_component("tour_panel", {"steps": steps}, strings=texts("tour.panel"), **props)
