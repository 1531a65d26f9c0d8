"""Two views of an image beside the original, with their crops and a list of their augmentations."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.ui.components.base import module_component


def pair_view(value: dict[str, Any] | None = None, **props: Any) -> gr.HTML:
    """Draws one image and its views.

    value: `original` {src, caption}; `views`, a list of {src, caption, color, box, lines}, where `box`
        is left, top, width, height in percent of the original and `lines` list the augmentations.
    """
    return module_component("pair_view", value, **props)
