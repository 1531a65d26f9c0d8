"""Rows of images, such as the nearest neighbors in several spaces."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.ui.components.base import module_component


def image_rows(value: dict[str, Any] | None = None, sheet: bool = False, clickable: bool = False, **props: Any) -> gr.HTML:
    """Draws rows of captioned images.

    value: `rows`, a list of {title, hint, items}; an item is {src, caption, note, id} and perhaps `detail`, a line below the
        note, and `pair`, an image beside its own. `empty`, the sentence shown where there are no rows. `remove`, the name of a
        button on each image with an id; without it there is none. `more`, whether further answers are still to come.
    sheet: whether on a narrow page they come up from the bottom. clickable: whether a click on an image does something.
    Events `image_click` and `item_remove`: `{"row": r, "item": i, "id": item.id}`.
    """
    options = {"sheet": sheet, "clickable": clickable}
    return module_component("image_rows", value, events=("image_click", "item_remove"), styles=("sheet",), **options, **props)
