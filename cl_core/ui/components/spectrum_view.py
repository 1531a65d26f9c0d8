"""A map that learns by a contrastive loss, between t-SNE and UMAP."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.text import texts
from cl_core.ui.components.base import module_component


def spectrum_view(**props: Any) -> gr.HTML:
    """Draws images on a map while the browser trains it; a slider changes the loss meanwhile.

    value: `SpectrumValue` of `types.d.ts`.
    """
    return module_component("spectrum_view", styles=("key_cloud",), strings=texts("spectrum.view"), **props)
