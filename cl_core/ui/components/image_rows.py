"""Rows of pictures, such as the nearest neighbours in several spaces."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.ui.components.base import file_component


def picture_rows(value: dict[str, Any] | None = None, **props: Any) -> gr.HTML:
    """Draws rows of captioned pictures.

    value: `rows`, a list of {title, hint, items}; an item is {src, caption, note, id}; `empty`, the
        sentence shown where there are no rows.
    Event `picture_click`: `{"row": r, "item": i, "id": item.id}`.
    """
    return file_component(__file__, value, **props)
