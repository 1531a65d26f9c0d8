"""Words: NCE for word embeddings, in five tabs."""

from __future__ import annotations

import gradio as gr

from cl_core.text import text
from cl_core.ui.explanation import explanation
from cl_core.ui.links import one_of
from cl_core.ui.page import Event, Page
from cl_core.ui.tabs.words import ask, cost, curves, noise, step

VIEWS = {"ask": ask, "curves": curves, "noise": noise, "step": step, "cost": cost}


def build(page: Page, opened: Event) -> None:
    """Lay out the tabs; each is drawn when its tab opens. The model menu of the page, for images, does not apply."""
    explanation("words", text("words.about"))
    names = page.words.names
    if not names:
        gr.Markdown(text("words.none"))
        return
    which = gr.Dropdown(names, value=names[0], label=text("words.model"), visible=len(names) > 1)
    page.resolve(which, page.words.get)
    page.link("words", read=lambda raw, _: one_of(raw, [tab_id(name) for name in VIEWS]))
    with gr.Tabs(elem_id="words-views"):
        for position, (name, view) in enumerate(VIEWS.items()):
            with gr.Tab(text(f"words.tabs.{name}"), id=tab_id(name)) as inner:
                inner.select(None, js=_remember(name), api_visibility="private")
                view.build(page, which, opened if position == 0 else inner.select)


def tab_id(name: str) -> str:
    """Name of a tab in the link."""
    return f"words-{name}"


def _remember(name: str) -> str:
    first = tab_id(next(iter(VIEWS)))
    return f"() => window.contrastiveLink.set('words', '{tab_id(name)}', '{first}')"
