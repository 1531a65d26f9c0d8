"""The temperature lab: a batch's probabilities, their curves over the temperature, and the runs compared."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.ui.components.base import module_component

TEMPERATURES = (0.01, 10.0)


def temperature_lab(strings: dict[str, str], **props: Any) -> gr.HTML:
    """Draws one matrix of probabilities, one anchor's row and the curves; the slider does not ask the server.

    value: as a `loss_microscope`'s, with two panels (untrained, trained) of a loss that has a temperature, and `places`:
        {name, label, uniformity, tolerance, here} of each run to compare with.
    """
    return module_component("temperature_lab", styles=("sheet", "matrix"), strings=strings, temperatures=TEMPERATURES, **props)
