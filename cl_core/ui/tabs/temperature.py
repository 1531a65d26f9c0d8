"""The temperature temperature_lab: what the temperature does to a batch, and what it did to the runs trained with it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.evaluation.geometry import tolerance, uniformity
from cl_core.models.methods import METHODS
from cl_core.text import text, texts
from cl_core.ui import model_store as library
from cl_core.ui.components import temperature_lab
from cl_core.ui.components.temperature_lab import TEMPERATURES
from cl_core.ui.links import number, one_of
from cl_core.ui.page import Event, Page
from cl_core.ui.tabs import loss as loss_tab
from cl_core.ui.tabs.loss import Loss

PAIRS = 32
WEIGHTS = ("trained", "untrained")


def has_temperature(model: str) -> bool:
    """Whether the loss the model was trained with divides by a temperature."""
    return METHODS[library.config(model).method].has_temperature


def show(model: str, seed: float, picked: str = "") -> dict[str, Any]:
    """A batch as the model's loss sees it, or NT-Xent where that has no temperature; and where all runs ended."""
    loss: Loss = "own" if has_temperature(model) and library.trained_here(model) else "nt-xent"
    value = loss_tab.show(model, loss, PAIRS, seed, picked)
    if not library.trained_here(model):
        about = text("temperature.elsewhere", model=model)
    else:
        about = text("temperature.own", model=model) if loss == "own" else text("temperature.stands_in", model=model)
    return value | {"summary": about, "places": places(model)}


def places(model: str) -> list[dict[str, Any]]:
    """Uniformity and tolerance of each run on the model's data set, by its kept images; and of its first weights."""
    data = library.dataset(model)
    found = []
    for name in library.checkpoint_names():
        config = library.config(name)
        if config.dataset != data.name:
            continue
        with_temperature = has_temperature(name) and library.trained_here(name)
        label = text("temperature.place", name=name, t=f"{config.temperature:g}") if with_temperature else name
        found.append(_place(name, label, -1, name == model))
    if not library.trained_here(model):
        return found
    return [*found, _place(model, text("temperature.place_untrained"), 0, False)]


def _place(name: str, label: str, moment: int, here: bool) -> dict[str, Any]:
    snapshots = library.folder(name).read_snapshots()
    if snapshots is None:
        return {"name": name, "label": label, "here": here, "uniformity": None, "tolerance": None}
    z = snapshots.embeddings[moment].float()
    labels = library.dataset(name).labels[snapshots.rows]
    return {"name": name, "label": label, "here": here, "uniformity": uniformity(z), "tolerance": tolerance(z, labels)}


def build(page: Page, shown: Event) -> None:
    """Lay out the view; it is drawn when its tab opens, and then follows the hand without the server."""
    gr.Markdown(text("temperature.about"), elem_classes="about")
    with gr.Row(elem_classes="tools"):
        again = gr.Button(text("loss.again"), variant="primary", scale=0, min_width=160)
    view = temperature_lab(texts("temperature_lab"), elem_id="temperature-view")
    page.keep("temperature", read=lambda raw, _: number(raw, *TEMPERATURES))
    page.keep("network", read=lambda raw, _: one_of(raw, WEIGHTS))
    page.keep("anchor", read=lambda raw, _: number(raw, 1, 2 * PAIRS))
    page.draws([shown], show, [page.model, page.seed, page.picked], view)
    page.draws_new_batch(again)
