"""The keys of runs that differ in where keys come from, by age and drift."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.text import texts
from cl_core.ui.components.base import module_component

PLAYER = ("play", "pause", "step_back", "step_on", "snapshot")


def keys_view(**props: Any) -> gr.HTML:
    """Draws the keys of each run as images, age across and drift up, over the time of training.

    value: `KeysViewValue` of `types.d.ts`.
    """
    player = {name: each for name, each in texts("map.view").items() if name in PLAYER}
    return module_component("keys_view", styles=("player", "key_cloud"), strings=player | texts("keys.view"), **props)
