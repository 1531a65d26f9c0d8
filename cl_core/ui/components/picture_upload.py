"""An upload that leaves the judging of a file to `data.decoding`."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.data_classes import ImageData


def _path_only(payload: ImageData | None) -> str | None:
    return payload.path if payload else None


def picture_upload(label: str, **props: Any) -> gr.Image:
    """A picture from a file, the clipboard or the camera, handed over as the path of the file itself.

    Gradio would open the file first: it turns transparent pixels black, and a file that is no picture
    ends in a traceback instead of a sentence. Give it values only: `gr.update` and `gr.skip` make Gradio build it anew,
    without this.
    """
    component = gr.Image(type="filepath", label=label, **props)
    component.preprocess = _path_only  # type: ignore[method-assign]
    return component
