"""The terms of the field, each in a sentence or two: where they occur, and all of them in a list."""

from __future__ import annotations

import html
import re

import gradio as gr

from cl_core.text import text, texts


def terms() -> dict[str, str]:
    """Names of the terms and what they mean, in the language in effect."""
    listed = texts("glossary.term")
    names = sorted({key.partition(".")[0] for key in listed})
    return {listed[f"{name}.name"]: listed[f"{name}.text"] for name in names}


def with_hints(markup: str) -> str:
    """HTML whose emphasized terms of the glossary explain themselves: `tooltips.js` shows `data-hint`."""
    known = {name.lower(): meaning for name, meaning in terms().items()}

    def explained(match: re.Match[str]) -> str:
        name = html.unescape(match[1]).lower()
        meaning = known.get(name) or known.get(name.removesuffix("s"))
        if meaning is None:
            return match[0]
        quoted = html.escape(meaning)
        return f'<em class="term" tabindex="0" data-hint="{quoted}" aria-description="{quoted}">{match[1]}</em>'

    return re.sub(r"<em>([^<]+)</em>", explained, markup)


def glossary() -> gr.HTML:
    """All terms in a list that unfolds."""
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(meaning)}</dd>" for name, meaning in sorted(terms().items()))
    body = f"<details><summary>{html.escape(text('glossary.title'))}</summary><dl>{rows}</dl></details>"
    return gr.HTML(body, elem_id="glossary", elem_classes="glossary", padding=False)
