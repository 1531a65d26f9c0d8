"""Queries to begin a search with."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.text import texts
from cl_core.ui.components.base import module_component


def search_queries(upload: str, answers: str, **props: Any) -> gr.HTML:
    """Offers examples to click, a pad to draw on, and the way back to the query before.

    Drawings and examples go through the upload, so that they pass its checks.

    Args:
        upload, answers: the elements' ids.

    value: `examples`, each {src, kind, name}.
    Event `ask`: {name}, of an image of the menu.
    """
    strings = texts("search.queries")
    return module_component("search_queries", events=("ask",), strings=strings, upload=upload, answers=answers, **props)
