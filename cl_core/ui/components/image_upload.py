"""An upload whose file is validated by `data.decoding`."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.data_classes import ImageData

from cl_core.errors import UserError
from cl_core.text import text
from cl_core.ui.uploads import received


def image_upload(label: str, **props: Any) -> gr.Image:
    """An image from a file, the clipboard or the camera, passed on as the path of the uploaded file.

    Gradio would open the file first: it turns transparent pixels black, and a file that is no image
    ends in a traceback instead of a sentence. Give it values only: `gr.update` and `gr.skip` make Gradio build it anew,
    without this.
    """
    refused = text("access.no_upload")

    def path_only(payload: ImageData | None) -> str | None:
        if payload is None or not payload.path:
            return None
        try:
            return str(received(payload.path))
        except UserError:
            raise gr.Error(refused, print_exception=False) from None

    component = gr.Image(type="filepath", label=label, placeholder=text("common.drop_image"), **props)
    component.preprocess = path_only  # type: ignore[method-assign]
    return component
