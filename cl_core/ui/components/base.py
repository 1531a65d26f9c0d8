"""What the components share: their script and style lie beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from cl_core.text import texts


def _script(module: Path) -> str:
    return module.with_suffix(".js").read_text(encoding="utf-8")


def file_component(module: str, value: Any, parts: Sequence[str] = (), **props: Any) -> gr.HTML:
    """A `gr.HTML` whose JavaScript and CSS are the files beside `module`, drawn into an empty element.

    The script comes after what all share, `base.js`, and after `parts`, the files of functions it needs.

    The template never changes and text reaches the page by `textContent`: names from outside cannot
    become markup. A function rather than a subclass, because Gradio writes a .pyi file beside the
    source of every subclass, and the checkout may be read only.
    """
    source = Path(module)
    return gr.HTML(
        value=value,
        html_template='<div class="cl-root"></div>',
        css_template=source.with_suffix(".css").read_text(encoding="utf-8"),
        js_on_load="".join(map(_script, [Path(__file__), *map(source.with_name, parts), source])),
        apply_default_css=False,
        save=texts("save"),
        **props,
    )
