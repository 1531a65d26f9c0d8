"""Why an answer is similar to the query: which parts of both images carry the cosine."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.text import texts
from cl_core.ui.components.base import module_component


def why_view(**props: Any) -> gr.HTML:
    """Draws both images with what each part contributes, and how the cosine falls without the most important parts.

    value: `WhyValue` of `types.d.ts`.
    Event `answer_pick`: `{"rank": r}`, of the answer to explain.
    """
    return module_component("why_view", events=("answer_pick",), styles=("image_choice",), strings=texts("why"), **props)
