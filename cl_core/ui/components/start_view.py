"""The first view: images that drift to where training puts them, and the ways into the app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from cl_core.ui.components.base import module_component


def start_view(value: dict[str, Any], strings: dict[str, str], doors: Sequence[str], **props: Any) -> gr.HTML:
    """Draws images at their places over time, and doors to the tour and to some tabs.

    value: `steps` of the tour, each {link}; `count`; `sprites`; `file`, an address of `epochs`, `accuracy` at each, `points`
        (S, count, 2) int16 as base64, `rows`, `names`, and `regions` ({point, name}).
    Event `open_image`: {id}, a row of the data set.
    """
    return module_component(
        "start_view", value, events=("open_image",), styles=("player",), strings=strings, doors=list(doors), **props
    )
