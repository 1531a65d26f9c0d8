"""One step of training, taken apart: encode, compare, update, store."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.text import texts
from cl_core.ui.components.base import module_component


def key_step(**props: Any) -> gr.HTML:
    """Draws the stages of a step and what each does to the keys.

    value: `KeyStepValue` of `types.d.ts`.
    Event `ask`: `{"name": run, "number": n}`, of the step to show.
    """
    strings = texts("keys.view") | texts("keys.step")
    return module_component("key_step", events=("ask",), styles=("key_cloud", "image_choice"), strings=strings, **props)
