"""Maps of the same images side by side: the image under the pointer is marked in all."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.ui.components.base import module_component


def twin_maps(strings: dict[str, str], **props: Any) -> gr.HTML:
    """Draws one plane a run.

    value: `maps`, {name, points: (count, 2) int16 as base64} each; `count`, `groups`, `groupNames`, `sprites`, `names` as
        an `embedding_map`'s.
    Event `point_click`: {id}.
    """
    return module_component("twin_maps", events=("point_click",), strings=strings, **props)
