"""A note on checkpoints whose data set is not downloaded, with a button to download it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.data.downloads import DOWNLOADS
from cl_core.text import text
from cl_core.ui.page import Page


def build(dataset: str, checkpoints: list[str], page: Page) -> None:
    """A line and a button. After the download the model menu gets the checkpoints, and both disappear."""
    download = DOWNLOADS[dataset]
    with gr.Column(elem_classes="missing-images") as note:
        gr.Markdown(text("missing.about", count=len(checkpoints), data=download.title))
        button = gr.Button(text("missing.get", data=download.title, size=f"{download.size / 1e6:.0f}"), size="sm")

    def still_missing() -> Any:
        return gr.update(visible=dataset in page.store.without_images())

    def fetch(request: gr.Request, progress: gr.Progress = gr.Progress()) -> list[Any]:  # noqa: B008  Gradio looks for it there
        page.access.check("fetch", request)
        page.store.fetch(dataset, lambda fraction: progress(fraction, desc=text("missing.progress", data=download.title)))
        gr.Info(text("missing.here", data=download.title, first=checkpoints[0]))
        return [gr.update(choices=page.store.names(page.access.viewer(request))), still_missing()]

    button.click(page.handles(fetch), None, [page.model, note], show_progress_on=button, api_visibility="private")
    page.app.load(still_missing, None, note, show_progress="hidden", api_visibility="private")
