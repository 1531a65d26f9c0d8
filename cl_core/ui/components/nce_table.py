"""NCE and InfoNCE side by side, on one batch."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.text import texts
from cl_core.ui.components.base import module_component


def nce_table(**props: Any) -> gr.HTML:
    """Draws a table in which each row compares both losses in words and on the same batch; needs no server to change.

    value: `NceValue` of `types.d.ts`.
    """
    return module_component("nce_table", styles=("image_choice",), strings=texts("nce.table"), **props)
