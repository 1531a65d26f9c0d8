"""Build the app: header, model, one tab a view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from cl_core.data.decoding import MAX_BYTES
from cl_core.errors import UserError
from cl_core.paths import ASSETS
from cl_core.ui import library, missing_pictures
from cl_core.ui.components.figure_view import plotly_script
from cl_core.ui.pictures import sprite_folder
from cl_core.ui.tabs import curves, map, matrix, pairs, search, temperature, words
from cl_core.ui.text import text
from cl_core.ui.theme import theme

HERE = Path(__file__).parent
TABS = {
    "pairs": pairs,
    "matrix": matrix,
    "temperature": temperature,
    "curves": curves,
    "map": map,
    "search": search,
    "words": words,
}
UPLOADS_KEPT_S = 3600


def build_app() -> gr.Blocks:
    """The whole page, on the shipped checkpoints.

    Raises:
        UserError: there is no checkpoint to show.
    """
    names = library.checkpoint_names()
    if not names:
        raise UserError("The folder checkpoints/ is empty: restore it, or train a run into it with python -m cl_core train.")
    gr.set_static_paths([plotly_script(), sprite_folder()])
    with gr.Blocks(title=text("app.title"), analytics_enabled=False, delete_cache=(UPLOADS_KEPT_S, UPLOADS_KEPT_S)) as app:
        with gr.Row(elem_classes="header"):
            with gr.Column(scale=3, min_width=280):
                gr.Markdown(f"# {text('app.title')}\n{text('app.lead')}")
            with gr.Column(scale=1, min_width=300):
                model = gr.Dropdown(names, value=names[0], label=text("app.model"), info=text("app.model_hint"))
                for dataset, waiting in library.waiting().items():
                    missing_pictures.build(dataset, waiting, model, app)
            switch = gr.Button(text("app.theme"), size="sm", variant="secondary", elem_classes="theme-switch")
        with gr.Tabs():
            for name, view in TABS.items():
                with gr.Tab(text(f"tabs.{name}"), id=name) as tab:
                    view.build(model, tab, app)
        switch.click(None, js=(HERE / "theme_switch.js").read_text(encoding="utf-8"), api_visibility="private")
    return app


def launch_options() -> dict[str, Any]:
    """Arguments of `launch` that make the page what it is, on any host."""
    return {
        "theme": theme(),
        "css_paths": HERE / "style.css",
        "max_file_size": MAX_BYTES,
        "ssr_mode": False,  # what is tested is what is served, here and on a Space
        "footer_links": [],
        "favicon_path": ASSETS / "favicon.svg",
        "show_error": True,
    }
