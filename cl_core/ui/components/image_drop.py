"""A place to drop a folder of images or an archive."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.text import texts
from cl_core.ui.components.base import module_component

UPLOAD_ROUTE = "/gradio_api/upload"


def image_drop(most: int, language: str, **props: Any) -> gr.HTML:
    """Sends what is dropped or chosen in one upload: an archive as it is, images as a tar archive with their folders.

    Args:
        most: bytes of an upload.

    Event `uploaded`: {path, title}, of the file in the upload folder; `title` is the name of its folder, if it has one.
    """
    strings = texts("images.drop")
    return module_component(
        "image_drop", {}, events=("uploaded",), strings=strings, most=most, upload=UPLOAD_ROUTE, language=language, **props
    )
