"""What the components share: each is an ES module of the browser side and a style."""

from __future__ import annotations

import json
from abc import ABCMeta
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import orjson

from cl_core.text import text, texts
from cl_core.ui.modules import module_url

HERE = Path(__file__).parent
# Gradio runs this as the body of a function, where only dynamic imports work.
MOUNT = (
    "const url = globalThis.contrastiveLink?.url(props.module) ?? props.module;"
    "import(url).then((module) => module.mount({ element, props, trigger, watch }));"
)


def _as_json(_: gr.HTML, value: Any) -> str | None:
    """A value as one text: Gradio's page copies other values part by part, again and again."""
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


# As a class, for Gradio builds a component anew when a prop changes; by ABCMeta, see `menu`.
_Module: type[gr.HTML] = ABCMeta.__new__(
    type(gr.HTML), "_Module", (gr.HTML,), {"is_template": True, "postprocess": _as_json, "__module__": __name__}
)


def module_component(
    name: str, value: Any = None, *, events: Sequence[str] = (), styles: Sequence[str] = (), **props: Any
) -> gr.HTML:
    """A `gr.HTML` drawn by the ES module `name` into an empty element; see `mount` there.

    The template never changes and text reaches the page by `textContent`: names from outside cannot
    become markup. A function rather than a subclass, because Gradio writes a .pyi file beside the
    source of every subclass, and the checkout may be read only.

    Args:
        name: of the module in `frontend/components`, and of the .css file here.
        events: that the module fires.
        styles: .css files that it shares with others, besides `base`.
        props: what the module reads besides the value, and arguments of `gr.HTML`.
    """
    css = "".join((HERE / f"{each}.css").read_text(encoding="utf-8") for each in ("base", *styles, name))
    # Gradio finds the names of events by looking for them in the script.
    listed = f"// {', '.join(map(json.dumps, events))}\n" if events else ""
    return _Module(
        value=value,
        html_template='<div class="cl-root"></div>',
        css_template=css,
        js_on_load=listed + MOUNT,
        apply_default_css=False,
        module=module_url(name),
        save=texts("save"),
        close=text("common.close"),
        unloaded=text("common.not_loaded"),
        retry=text("common.retry"),
        **props,
    )
