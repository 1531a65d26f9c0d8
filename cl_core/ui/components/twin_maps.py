"""Maps of the same images side by side: what the pointer finds in one lights up in all."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.ui.components.base import file_component

PARTS = ("save.js", "matrix.js", "splat.js")


def twin_maps(words: dict[str, str], **props: Any) -> gr.HTML:
    """Draws one plane a run.

    value: `maps`, {name, points: (count, 2) int16 as base64} each; `count`, `groups`, `groupNames`, `sprites`, `names` as
        an `embedding_map`'s.
    Event `point_click`: {id}.
    """
    return file_component(__file__, None, parts=PARTS, words=words, **props)
