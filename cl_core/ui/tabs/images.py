"""Images: bring one's own or a public data set, and look at what is here."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.data.bundled import DATASETS
from cl_core.data.imported import imported_names, imported_owner, remove_imported, removed_dir, restore_imported
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError, quoted
from cl_core.explore.model_store import trained_records
from cl_core.system.files import owner_of
from cl_core.text import text
from cl_core.training.comparison_state import read_comparison
from cl_core.training.jobs import Jobs, waiting_settings
from cl_core.ui import visitors
from cl_core.ui.access import Access
from cl_core.ui.components import image_rows, menu
from cl_core.ui.events import PRESSED, QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.page import Event, Page
from cl_core.ui.tabs import import_form, method_comparison
from cl_core.ui.tabs.dataset_view import copies, facts, samples
from cl_core.ui.tabs.method_comparison import TO_TRAINING

TO_COMPARISON = "() => { document.querySelector('#comparison-methods')?.scrollIntoView({ block: 'center' }); return []; }"


def removable(access: Access, name: str, visitor: str) -> bool:
    """Whether a visitor may remove a data set: their own, and of the user of this machine any imported one."""
    return name in imported_names() and (not access.strangers or (visitor != "" and imported_owner(name) == visitor))


def first_shown(names: list[str]) -> str:
    """The data set that is shown at first: the last imported one by name, else the first bundled one."""
    return next((name for name in reversed(names) if name not in DATASETS), names[0])


def check_unused(jobs: Jobs, name: str) -> None:
    """Check that no run or comparison uses a data set, or waits for it.

    Raises:
        UserError: one does.
    """
    for path in jobs.active:
        begun = read_comparison(path) or trained_records().get(path.name)
        used = begun.config.dataset if begun else (waiting_settings(path) or {}).get("dataset")
        if name == used:
            raise UserError("images.in_use", name=name, run=path.name)


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; what is here is shown when its tab opens."""
    access, imports = page.access, page.imports
    about = text("images.about" if access.training else "images.about_read_only")
    if access.strangers and access.training:
        about += " " + text("images.about_strangers", hours=f"{access.options.keep_hours:g}")
    explanation("images", about)
    form = None
    with gr.Row(elem_classes="panel-row"):
        if access.training:
            with gr.Column(scale=2, min_width=320, elem_classes="panel"):
                form = import_form.lay_out(page)
        with gr.Column(scale=3, min_width=320, elem_classes="panel"):
            look = menu(
                dataset_names(""), value=None, label=text("images.look"), info=text("images.look_hint"), elem_id="images-look"
            )
            about_data = gr.HTML("", elem_id="images-facts")
            with gr.Row(equal_height=True):
                which = gr.Button(text("comparison.title"), variant="primary", elem_id="images-which", visible=access.training)
                train = gr.Button(text("images.train"), elem_id="images-train", visible=access.training)
                remove = gr.Button(text("images.remove"), interactive=False, elem_id="images-remove", visible=access.training)
                undo = gr.Button(text("images.undo"), visible=False, elem_id="images-undo")
            rows = image_rows(elem_id="images-rows")
            same = image_rows(elem_id="images-copies")
    page.link("look", look, choices=dataset_names)
    removed = gr.Textbox("", visible=False)

    def show_dataset(request: gr.Request, name: str | None) -> tuple[Any, ...]:
        if not name:
            return "", {"rows": []}, gr.update(interactive=False)
        data = load_dataset(name)
        visitor = access.viewer(request)
        may = access.training and removable(access, name, visitor or "")
        return facts(data), {"rows": samples(data)}, gr.update(interactive=may)

    def find_duplicates(name: str | None) -> dict[str, Any]:
        return {"rows": copies(load_dataset(name)) if name else []}

    def list_datasets(request: gr.Request, name: str | None) -> Any:
        found = dataset_names(access.viewer(request))
        return gr.update(choices=found, value=name if name in found else first_shown(found))

    which.click(None, js=TO_COMPARISON, api_visibility="private")
    # First: Gradio makes the calls of one event in this order, and these images are on the first screen.
    described = look.change(page.handles(show_dataset), look, [about_data, rows, remove], **QUICK)
    if access.training:
        method_comparison.build(page, look)
    described.then(page.handles(find_duplicates), look, same, **QUICK)
    opened(page.handles(list_datasets), look, look, **QUICK)
    train.click(lambda plan: plan, look, page.data, js=TO_TRAINING, **QUICK)
    if form is None:
        return
    import_form.handle(page, form, look)

    def remove_dataset(request: gr.Request, name: str, model: str) -> tuple[Any, ...]:
        visitor = access.check("import", request)
        if not removable(access, name, visitor):
            raise UserError("images.not_yours", name=quoted(name))
        check_unused(page.jobs, name)
        remove_imported(name)
        found = dataset_names(access.viewer(request))
        models = page.offered_models(request, model)  # without those of the images
        return gr.update(choices=found, value=first_shown(found)), name, gr.update(visible=True), models

    def restore_dataset(request: gr.Request, name: str) -> tuple[Any, ...]:
        visitor = access.check("import", request)
        if access.strangers:
            if owner_of(removed_dir(name)) != visitor:
                raise UserError("images.not_yours", name=quoted(name))
            visitors.check_datasets(access, visitor, imports)
        restore_imported(name)
        models = gr.update(choices=page.store.names(access.viewer(request)))
        return gr.update(choices=dataset_names(access.viewer(request)), value=name), "", gr.update(visible=False), models

    changed = [look, removed, undo, page.model]
    remove.click(page.handles(remove_dataset), [look, page.model], changed, **PRESSED)
    undo.click(page.handles(restore_dataset), removed, changed, **PRESSED)
