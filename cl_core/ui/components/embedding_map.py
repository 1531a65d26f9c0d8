"""The embedding map: ten thousand images and more on one canvas, and their snapshots during training."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.ui.components.base import module_component

EVENTS = ("point_click", "point_clear", "use_batch", "use_search", "lay_out")


def embedding_map(strings: dict[str, str], **props: Any) -> gr.HTML:
    """Draws images as points, or as themselves; zoom, pan, lasso, true neighbors as lines, and the training's snapshots.

    value: `count`; `points`, (count, 2) int16 as base64; `groups` (uint16) with `groupNames`, or `score` ({values: float32,
        about}), and `coloring`, what they show; `regions` ({point, name}) and a `note` on the map; `sprites` and `names` (an
        address), by point; `batch`, points to mark; `snapshots` or none: the same over time (`epochs`, `points` (S, count, 2),
        `cells` and their `cosines` (S, M, M) in 127ths, int8, `loss`, `std`, `canLayOut`); `label`, `name`.
    lines: {from, to, cosines}, the neighbors of a point, sent after `point_click`.
    laying: the fraction done after `lay_out`, 0 to 1; below 0 once that has ended.
    Events: `point_click` {id}, `use_batch` {ids}, `use_search` {id}, `lay_out`, and `point_clear` where no point is chosen any
        more: by Escape, by a click beside all points, by another mode, or as other images took their place.
    """
    return module_component("embedding_map", events=EVENTS, styles=("player",), strings=strings, lines=None, laying=-1, **props)
