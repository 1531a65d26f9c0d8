"""The temperature lab: the effect of the temperature on a batch, and on the runs trained with it."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from cl_core.errors import UserError
from cl_core.evaluation.geometry import tolerance, uniformity
from cl_core.explore.batch import MAX_BATCH, chosen_batch
from cl_core.explore.model import Model
from cl_core.explore.model_store import ModelStore
from cl_core.networks.methods import METHODS
from cl_core.text import text, texts
from cl_core.ui.components import temperature_lab
from cl_core.ui.components.temperature_lab import TEMPERATURES
from cl_core.ui.explanation import explanation
from cl_core.ui.links import number, one_of
from cl_core.ui.page import Event, Page
from cl_core.ui.tabs import loss as loss_tab

WEIGHTS = ("trained", "untrained")


def show(store: ModelStore, model: Model, count: float, seed: float, picked: str = "", viewer: str | None = "") -> dict[str, Any]:
    """A batch under the model's loss, or under NT-Xent if that is no softmax; places of the runs that `viewer` may see."""
    if not model.has_training_loss:
        about = "elsewhere"
    elif not model.has_temperature:
        about = "stands_in"
    else:  # the numbers of this tab are probabilities of a softmax
        about = "own" if METHODS[model.config.method].has_softmax else "no_softmax"
    batch = chosen_batch(model, picked, int(count), int(seed))
    if about == "own" and loss_tab.lacks_stored_keys(model, batch):
        about = "not_stored"
    value = loss_tab.show(model, "own" if about == "own" else "nt-xent", count, seed, picked)
    same = text("temperature.batch", count=len(batch.rows))
    whose = text(f"temperature.whose_loss.{about}", model=model.name)
    return value | {"summary": f"{whose} {same}", "places": places(store, model, viewer)}


def places(store: ModelStore, model: Model, viewer: str | None = "") -> list[dict[str, Any]]:
    """Uniformity and tolerance of each run on the model's data set, by its kept images; and of its first weights."""
    data = model.dataset
    found = []
    for name in store.names(viewer):
        other = store.get(name)
        if other.config.dataset != data.name:
            continue
        label = text("temperature.place", name=name, t=f"{other.temperature:.3g}") if other.has_temperature else name
        found.append(_place(other, label, -1, name == model.name))
    if not model.has_training_loss:
        return found
    return [*found, _place(model, text("temperature.place_untrained"), 0, False)]


def _place(model: Model, label: str, snapshot: int, here: bool) -> dict[str, Any]:
    try:
        snapshots = model.folder.read_snapshots()
        fits = snapshots is not None and len(snapshots.steps) and snapshots.fits(len(model.dataset))
    except UserError:  # another run's file is damaged: its own tabs show the error
        fits = False
    if not fits:
        return {"name": model.name, "label": label, "here": here, "uniformity": None, "tolerance": None}
    assert snapshots
    z = snapshots.embeddings[snapshot].float()
    labels = model.dataset.labels[snapshots.rows]
    return {"name": model.name, "label": label, "here": here, "uniformity": uniformity(z), "tolerance": tolerance(z, labels)}


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; it is drawn when its tab opens. The slider needs no server."""
    with gr.Row(elem_classes="headline"):
        explanation("temperature", text("temperature.about"))
        again = gr.Button(text("loss.again"), variant="primary", scale=0, min_width=160)
    view = temperature_lab(texts("temperature_lab"), elem_id="temperature-view")
    page.link("temperature", read=lambda raw, _: number(raw, *TEMPERATURES))
    page.link("network", read=lambda raw, _: one_of(raw, WEIGHTS))
    page.link("anchor", read=lambda raw, _: number(raw, 1, 2 * MAX_BATCH))
    inputs = [page.model, page.count, page.seed, page.picked]
    page.draws([opened], partial(show, page.store), inputs, view, for_viewer=True)
    page.draws_new_batch(again)
