"""Start: images drift into groups as a run learns, and the ways into the app."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from cl_core.errors import UserError
from cl_core.explore.maps import layout_over_time
from cl_core.explore.model import Model
from cl_core.explore.model_store import ModelStore
from cl_core.explore.regions import regions
from cl_core.runs.folder import Snapshots
from cl_core.text import texts
from cl_core.ui import images
from cl_core.ui.components import start_view
from cl_core.ui.events import PRESSED
from cl_core.ui.names import image_name
from cl_core.ui.neighbors import offered_name
from cl_core.ui.packing import packed, whole_numbers
from cl_core.ui.page import Event, Page
from cl_core.ui.tabs.map import half_of_gain, regions_value
from cl_core.ui.tour import STEPS

DOORS = ("search", "images")  # beside the tour


def shown_model(store: ModelStore) -> Model | None:
    """The first run whose images have places over time, and are on this machine."""
    for name in store.names():
        model = store.get(name)
        try:
            if layout_over_time(model.folder, len(model.dataset)) is not None:
                return model
        except UserError:
            continue
    return None


def show(model: Model) -> dict[str, Any]:
    """The images on the map at their places over time."""
    layout = layout_over_time(model.folder, len(model.dataset))
    assert layout is not None
    sheet = images.cached_sprites(model.dataset, layout.rows)
    return {"count": len(layout.rows), "sprites": sheet, "file": _write_file(model, layout)}


def _write_file(model: Model, layout: Snapshots) -> str:
    data, record, rows = model.dataset, model.record, layout.rows
    points = layout.embeddings.float()
    measured = {p["step"]: p["knn"]["accuracy"] for p in model.folder.read_metrics() if "knn" in p}
    found = regions(points[-1], data.labels[rows])
    content = {
        "count": len(rows),
        "half": half_of_gain(model.folder.read_metrics()),
        "epochs": [step * record.config.epochs / record.total_steps for step in layout.steps],
        "accuracy": [measured.get(step) for step in layout.steps],
        "points": packed(whole_numbers(points), np.int16),
        "rows": rows.tolist(),
        "names": [image_name(data, row) for row in rows.tolist()],
        "regions": regions_value(found, model),
    }
    return images.json_file("start", content)


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; what it shows is the same for everybody and comes with the page."""
    model = shown_model(page.store)
    strings = texts("start") | {key: each for key, each in texts("map.view").items() if key in PLAYER}
    steps = [{"link": dict(link)} for _, link in STEPS]
    value = {"count": 0, "sprites": None, "file": "", "steps": steps} | ({} if model is None else show(model))
    doors = DOORS if page.access.training else DOORS[:1]
    view = start_view(value, strings, doors, elem_id="start-view")
    if model is None:
        return

    def open_image(event: gr.EventData) -> tuple[str, str]:
        row = event._data.get("id")
        if type(row) is not int or not 0 <= row < len(model.dataset):
            raise UserError("map.no_points")
        return model.name, offered_name(model, row)

    sent = view.open_image(page.handles(open_image), None, [page.model, page.wanted], **PRESSED)
    sent.success(None, js="() => window.contrastiveLink.goTo('search')", api_visibility="private")


PLAYER = {"play", "pause", "step_back", "step_on", "snapshot", "epoch"}
