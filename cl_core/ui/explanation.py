"""Explanations that fold away: the browser remembers which a reader has folded."""

from __future__ import annotations

import html
import re

import gradio as gr

from cl_core.ui.glossary import with_hints

FOLD = "globalThis.contrastiveLink?.fold(element)"


def explanation(name: str, about: str) -> gr.HTML:
    """A text that begins with a bold lead; folded, only the lead is shown.

    Args:
        name: under which the browser remembers whether it is folded.
        about: "**Lead.** What follows, with *emphasis*."
    """
    lead, rest = about.removeprefix("**").split("**", 1)
    following = with_hints(emphasized(rest.strip()))
    body = f"<details data-fold='{name}' open><summary>{emphasized(lead)}</summary><p>{following}</p></details>"
    return gr.HTML(body, js_on_load=FOLD, elem_classes="about", padding=False)


def emphasized(text: str) -> str:
    """A text with **strong** words and *emphasis* as HTML."""
    escaped = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(text, quote=False))
    return re.sub(r"\*(.+?)\*", r"<em>\1</em>", escaped)
