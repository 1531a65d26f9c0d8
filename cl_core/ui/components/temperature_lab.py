"""The temperature temperature_lab: a batch's probabilities, their curves over the temperature, and what each run became."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.ui.components.base import file_component

TEMPERATURES = (0.01, 10.0)
PARTS = ("anatomy.js", "temperature.js", "save.js", "matrix.js", "formula.js")


def temperature_lab(words: dict[str, str], **props: Any) -> gr.HTML:
    """Draws one matrix of probabilities, one anchor's row and the curves; the slider does not ask the server.

    value: as a `loss_microscope`'s, with two panels (untrained, trained) of a loss that has a temperature, and `places`:
        {name, label, uniformity, tolerance, here} of each run to compare with.
    """
    return file_component(__file__, None, parts=PARTS, words=words, temperatures=TEMPERATURES, **props)
