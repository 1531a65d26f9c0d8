"""Rows of images, such as the nearest neighbors in several spaces."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.ui.components.base import module_component


def image_rows(value: dict[str, Any] | None = None, sheet: bool = False, **props: Any) -> gr.HTML:
    """Draws rows of captioned images.

    value: `rows`, a list of {title, hint, items}; an item is {src, caption, note, id} and perhaps
        `detail`, a line below the note; `empty`, the
        sentence shown where there are no rows.
    sheet: whether on a narrow page they come up from the bottom.
    Event `image_click`: `{"row": r, "item": i, "id": item.id}`.
    """
    return module_component("image_rows", value, events=("image_click",), styles=("sheet",), sheet=sheet, **props)
