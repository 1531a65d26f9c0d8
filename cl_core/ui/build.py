"""Build the app: header, model menu, tabs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from cl_core.errors import UserError
from cl_core.explore.model_store import ModelStore
from cl_core.imports.jobs import ImportJobs
from cl_core.system.host import host
from cl_core.system.paths import ASSETS
from cl_core.text import DEFAULT_LANGUAGE, LANGUAGES, text, using_language
from cl_core.training.jobs import Jobs
from cl_core.ui import api, gradio_guards, tour
from cl_core.ui.access import Access
from cl_core.ui.components import menu
from cl_core.ui.components.figure_view import plotly_script
from cl_core.ui.glossary import glossary
from cl_core.ui.host_line import host_line
from cl_core.ui.images import sprite_folder
from cl_core.ui.links import one_of, picked_reader, restore, script
from cl_core.ui.modules import modules_folder, preloads
from cl_core.ui.navigation import FIRST, TABS, group_styles, model_styles
from cl_core.ui.page import Page
from cl_core.ui.questions import questions
from cl_core.ui.server import Server
from cl_core.ui.tabs import (
    ablations,
    clusters,
    compare,
    curves,
    images,
    keys,
    loss,
    map,
    models,
    nce,
    search,
    spectrum,
    start,
    temperature,
    train,
    views,
    words,
)
from cl_core.ui.theme import theme
from cl_core.words.explore import WordStore

HERE = Path(__file__).parent
MODULES = {
    "start": start,
    "views": views,
    "loss": loss,
    "nce": nce,
    "temperature": temperature,
    "keys": keys,
    "clusters": clusters,
    "spectrum": spectrum,
    "curves": curves,
    "ablations": ablations,
    "map": map,
    "search": search,
    "compare": compare,
    "words": words,
    "images": images,
    "train": train,
    "models": models,
}
UPLOADS_KEPT_S = 3600
IMAGES = 16  # of the first batch
PLACES = 16  # concurrent calls of one event
WAITING = 400  # calls of all events
SWITCH_THEME = "() => window.contrastiveTheme()"


def build_app(access: Access | None = None, store: ModelStore | None = None, words: WordStore | None = None) -> gr.Blocks:
    """The whole app on the models of `store`; `access` is by default for the user of this machine.

    Raises:
        UserError: there is no checkpoint to show.
    """
    store, word_store = store or ModelStore(), words or WordStore()
    names = store.names()
    if not names:
        raise UserError("app.no_models")
    gradio_guards.install()
    gr.set_static_paths([plotly_script(), sprite_folder(), modules_folder()])
    delete_cache, access = (UPLOADS_KEPT_S, UPLOADS_KEPT_S), access or Access()
    jobs, imports = Jobs(), ImportJobs()
    with (
        using_language(DEFAULT_LANGUAGE),
        gr.Blocks(title=text("app.title"), analytics_enabled=False, delete_cache=delete_cache) as app,
    ):
        _lay_out(app, names, DEFAULT_LANGUAGE, jobs, imports, access, store, word_store)
        api.offer(store)
    app.queue(default_concurrency_limit=PLACES, max_size=WAITING)
    for language, name in LANGUAGES.items():
        if language != DEFAULT_LANGUAGE:
            with using_language(language), app.route(name, f"/{language}", show_in_navbar=False):
                _lay_out(app, names, language, jobs, imports, access, store, word_store)
    return app


def _lay_out(
    app: gr.Blocks,
    names: list[str],
    language: str,
    jobs: Jobs,
    imports: ImportJobs,
    access: Access,
    store: ModelStore,
    word_store: WordStore,
) -> None:
    """One language's page."""
    with gr.Row(elem_classes="header"):
        gr.Markdown(f"# {text('app.title')}", elem_classes="brand")
        model = menu(names, value=names[0], label=text("app.model"), container=False, elem_classes="model-menu")
        for other, name in LANGUAGES.items():
            if other != language:
                to_other = gr.Button(name, size="sm", elem_classes="switch language-switch")
                to_other.click(None, js=f"() => window.contrastiveLanguage('{other}')", api_visibility="private")
        theme_switch = gr.Button(text("app.theme"), size="sm", elem_classes="switch theme-switch")
    turn, seed = gr.Number(0, visible=False), gr.Number(1, visible=False, precision=0)
    count = gr.Number(IMAGES, visible=False, precision=0)
    picked, wanted, data = (gr.Textbox("", visible=False) for _ in range(3))
    page = Page(language, app, model, turn, seed, count, picked, wanted, data, [], jobs, imports, access, store, word_store)
    page.link("model", model, choices=store.names)
    page.link("tab", read=_read_tab)
    page.link("batch", page.seed)
    page.link("images", page.picked, read=picked_reader(store))
    due = [gr.Number(0, visible=False) for _ in TABS]
    shared: list[Any] = [model, page.seed, page.count, page.picked]
    split, tabs = len(shared), json.dumps(list(TABS))
    js = f"(...all) => window.contrastiveLink.sharedChanged(all.slice(0, {split}), {tabs}, all.slice({split}))"
    gr.on([each.change for each in shared], None, [*shared, *due], due, js=js, api_visibility="private")
    with gr.Tabs(elem_classes="sections"):
        for name, number in zip(TABS, due, strict=True):
            with gr.Tab(text(f"tabs.{name}"), id=name) as tab:
                tab.select(None, None, number, js=_opened(name), api_visibility="private")
                MODULES[name].build(page, number.change)
    questions()
    glossary()
    gr.Markdown(host_line(host(), access), elem_classes="host")
    tour.build(page)
    theme_switch.click(None, js=SWITCH_THEME, api_visibility="private")

    def opened(request: gr.Request) -> list[Any]:
        return restore(page.linked, request.query_params, access.viewer(request))

    controls = [linked.component for linked in page.linked if linked.component is not None]
    restored = app.load(page.handles(opened), None, controls, show_progress="hidden", api_visibility="private")
    inner = {words.tab_id(name): text(f"words.tabs.{name}") for name in words.VIEWS}
    titles = json.dumps({name: text(f"tabs.{name}") for name in TABS} | inner)
    # Only then: a view that is drawn when its tab opens uses the values of the link.
    name = json.dumps(text("app.title"), ensure_ascii=False)
    started = f"() => {{ document.title = {name}; window.contrastiveLink.restore({titles}); return []; }}"
    restored.then(None, js=started, api_visibility="private")


def _read_tab(raw: str, _: Mapping[str, Any]) -> str:
    return one_of(raw, TABS)


def _opened(name: str) -> str:
    return f"() => window.contrastiveLink.tabOpened({json.dumps(name)}, {json.dumps(FIRST)})"


def announcements() -> gr.I18n:
    """What screen readers announce, for those sentences that Gradio's own texts lack: they would read out a key, or English."""
    locales = {}
    for language, locale in (("en", "en"), ("zh", "zh-CN")):
        with using_language(language):
            locales[locale] = {
                "common.complete": text("announce.complete"),
                "common.progress": text("announce.progress"),
                "status.queue_position": text("announce.queue", position="{position}", size="{size}"),
            }
    return gr.I18n(**locales)


def launch_options(server: Server | None = None) -> dict[str, Any]:
    """Arguments of `launch`, the same on any host."""
    server = server or Server(Access())
    return {
        "app_kwargs": {"lifespan": server.lifespan},
        "auth": list(server.access.options.auth) or None,
        "theme": theme(),
        "css": f"{group_styles()}\n{model_styles()}",
        "css_paths": [HERE / "look.css", HERE / "style.css"],
        "max_file_size": server.access.most_upload,
        "ssr_mode": False,  # what is tested is what is served, here and on a Space
        "footer_links": [],
        "run_history": False,  # a request could have it written to a bucket with this machine's token
        "i18n": announcements(),
        "head": f"<script>{script()}</script>{preloads()}",
        "favicon_path": ASSETS / "favicon.svg",
        "show_error": False,  # what a `UserError` says is shown in any case, other errors may hold paths
        "mcp_server": not server.access.options.auth,  # it would answer without a login
    }
