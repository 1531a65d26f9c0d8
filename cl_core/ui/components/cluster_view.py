"""k-means and EM on a map, step by step."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.text import texts
from cl_core.ui.components.base import module_component


def cluster_view(**props: Any) -> gr.HTML:
    """Draws the points of a map in the colors of their clusters, the centers moving, and the objective falling.

    value: `ClusterValue` of `types.d.ts`.
    """
    return module_component("cluster_view", styles=("key_cloud",), strings=texts("clusters.view"), **props)
