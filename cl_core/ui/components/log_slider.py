"""A slider whose steps are factors, for quantities such as the temperature."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.ui.components.base import file_component


def log_slider(value: float, low: float, high: float, label: str, hint: str, **props: Any) -> gr.HTML:
    """A range input from `low` to `high`, both > 0, equal distances being equal factors.

    Its value is the number itself. Event `slide`: the value changed under the person's hand.
    """
    return file_component(__file__, value, low=low, high=high, label=label, hint=hint, **props)
