"""The embedding map: images as points, their nearest neighbors as lines, and snapshots of the training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Literal

import gradio as gr
import numpy as np
from torch import Tensor

from cl_core.data.dataset import Dataset, spaced
from cl_core.errors import UserError
from cl_core.explore.batch import MAX_BATCH, picked_rows
from cl_core.explore.maps import can_lay_out, lay_out, layout_over_time, snapshot_points
from cl_core.explore.model import MAP_LAYERS, MapLayer, Model
from cl_core.explore.projection import Projector
from cl_core.explore.regions import NeighborPreservation, Region, regions
from cl_core.runs.folder import RunFolder, Snapshots
from cl_core.text import text, texts
from cl_core.ui import images
from cl_core.ui.components import embedding_map, image_rows
from cl_core.ui.events import PRESSED
from cl_core.ui.explanation import explanation
from cl_core.ui.links import number, one_of
from cl_core.ui.names import class_name, family_names, image_name
from cl_core.ui.neighbors import neighbor_row, neighbors_on_map, offered_name
from cl_core.ui.packing import packed, whole_numbers
from cl_core.ui.page import Event, Page, notice

Color = Literal["class", "cluster", "agreement", "loss"]
COLORS: tuple[Color, ...] = ("class", "cluster", "agreement", "loss")
CELLS = 24  # images in the matrix that moves with the training
CURVE_POINTS = 200
MIN_GAIN = 0.03  # of kNN accuracy, from which one can say when groups separate


def show(model: Model, projector: Projector, layer: MapLayer, color: Color, picked: str) -> dict[str, Any]:
    """The images of the data set as points, and the monitor images at each snapshot."""
    data = model.dataset
    points = model.map_points(projector, layer)
    named, keeps = model.map_regions(projector, layer)
    place = {group: i for i, group in enumerate(data.groups[data.on_map].tolist())}
    return {
        "name": f"{model.name}-{layer}-{projector}",
        "label": text("map.label", name=data.name),
        "count": len(points),
        "points": packed(whole_numbers(points), np.int16),
        "sprites": images.dataset_sprites(data),
        "names": names_file(data, data.on_map),
        "batch": [place[group] for group in data.groups[list(picked_rows(picked, data))].tolist() if group in place],
        "regions": regions_value(named, model),
        "note": " ".join(filter(None, (kept_text(keeps), _encoder_text(model, layer)))),
        "coloring": color,
        "snapshots": snapshots_value(model),
        **colored(model, layer, color),
    }


def colored(model: Model, layer: MapLayer, color: Color) -> dict[str, Any]:
    """What colors the points: groups with names, or a number each."""
    data = model.dataset
    if color == "class":
        families = data.families[data.on_map]
        return {"groups": packed(families, np.uint16), "groupNames": family_names(data), "score": None}
    if color == "cluster":
        clusters = model.map_clusters(layer)
        names = [text("map.cluster", number=i + 1) for i in range(int(clusters.max()) + 1)]
        return {"groups": packed(clusters, np.uint16), "groupNames": names, "score": None}
    score = model.map_agreement(layer) if color == "agreement" else model.map_losses()
    about = text("map.score.agreement") if color == "agreement" else text("map.score.loss")
    return {"groups": None, "groupNames": [], "score": {"values": packed(score, np.float32), "about": about}}


def names_file(data: Dataset, rows: Tensor) -> str:
    """Address of the names of images: they load after the first drawing."""
    return images.json_file(f"{data.name}-names", [image_name(data, row) for row in rows.tolist()])


def regions_value(found: list[Region], model: Model) -> list[dict[str, Any]]:
    """Regions with the names of their classes."""
    return [{"point": region.point, "name": class_name(model.dataset, region.label)} for region in found]


def kept_text(keeps: NeighborPreservation) -> str:
    """How well a map keeps neighbors, in words."""
    said = text("map.kept", kept=f"{100 * keeps.neighbors:.0f}")
    if keeps.accuracy is None or keeps.accuracy_on_map is None:
        return said
    here, full = (f"{100 * value:.0f}" for value in (keeps.accuracy_on_map, keeps.accuracy))
    return f"{said} {text('map.kept_accuracy', here=here, full=full)}"


def _encoder_text(model: Model, layer: MapLayer) -> str:
    """What the encoder's features and the projection head's output reach, where the latter is shown."""
    if model.layer(layer)[1] != "embedding":
        return ""
    encoder, head = model.knn_accuracy("feature"), model.knn_accuracy("embedding")
    if encoder is None or head is None:
        return ""
    return text("map.kept_encoder", encoder=f"{100 * encoder:.1f}", head=f"{100 * head:.1f}")


def _measured(metrics: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Epoch and kNN accuracy of each snapshot."""
    return [(p["epoch"], p["knn"]["accuracy"]) for p in metrics if p["kind"] == "snapshot" and "knn" in p]


def half_of_gain(metrics: list[dict[str, Any]]) -> float | None:
    """Epoch of the first snapshot with half of the gain in kNN accuracy; None where little is gained."""
    measured = _measured(metrics)
    if not measured or measured[0][0] != 0 or measured[-1][1] - measured[0][1] < MIN_GAIN:
        return None
    half = (measured[0][1] + measured[-1][1]) / 2
    return next(epoch for epoch, accuracy in measured if accuracy >= half)


def separation_text(metrics: list[dict[str, Any]], epochs: int) -> str:
    """When groups separate; "" where little is gained."""
    epoch = half_of_gain(metrics)
    if epoch is None:
        return ""
    measured = _measured(metrics)
    ends = {"first": f"{100 * measured[0][1]:.0f}", "last": f"{100 * measured[-1][1]:.0f}"}
    return text("map.time_separates", epoch=f"{epoch:.1f}" if epoch < 10 else f"{epoch:,.0f}", epochs=f"{epochs:,}", **ends)


def snapshots_value(model: Model) -> dict[str, Any] | None:
    """Images at each snapshot, with a similarity matrix of some, loss and spread.

    All that are on the map where they are laid out over time, else the monitor images in one basis.
    """
    folder, data = model.folder, model.dataset
    snapshots = folder.read_snapshots()
    if snapshots is None or len(snapshots.steps) < 2 or not snapshots.fits(len(data)):
        return None
    record = model.record
    layout = _valid_layout(folder, len(data))
    if layout is not None and layout.steps == snapshots.steps:
        rows, points = layout.rows, layout.embeddings.float()
        named = regions(points[-1], data.labels[rows]) if data.labeled else []
        note = text("map.time_whole", count=f"{len(rows):,}")
        names: list[str] | str = names_file(data, rows)
    else:
        rows, points, named = snapshots.rows, snapshot_points(snapshots), []
        note = text("map.time_some", count=len(rows), all=f"{len(data.on_map):,}")
        names = [image_name(data, row) for row in rows.tolist()]
    chosen, cosines = _moving_matrix(snapshots, data.families[snapshots.rows])
    per_step = record.config.epochs / max(1, record.total_steps)
    return {
        "count": len(rows),
        "epochs": [step * per_step for step in snapshots.steps],
        "sprites": images.cached_sprites(data, rows),
        "names": names,
        "groups": packed(data.families[rows], np.uint16),
        "groupNames": family_names(data),
        "points": packed(whole_numbers(points), np.int16),
        "regions": regions_value(named, model),
        "note": " ".join(filter(None, (note, separation_text(folder.read_metrics(), record.config.epochs)))),
        "canLayOut": can_lay_out(folder),
        "cells": chosen.tolist(),
        "cosines": packed((127 * cosines).round(), np.int8),
        **_curves(folder),
    }


def _valid_layout(folder: RunFolder, count: int) -> Snapshots | None:
    """Places over time; None where there are none, or where those of a pulled run are odd."""
    try:
        return layout_over_time(folder, count)
    except UserError:
        return None


def _moving_matrix(snapshots: Snapshots, families: Tensor) -> tuple[Tensor, Tensor]:
    """Some of the monitor images, grouped by family: positions (M,), cosines (S, M, M)."""
    chosen = spaced(families.argsort(stable=True), CELLS)
    z = snapshots.embeddings[:, chosen].float()
    return chosen, z @ z.transpose(1, 2)


def _curves(folder: RunFolder) -> dict[str, Any]:
    metrics = folder.read_metrics()
    losses = [point for point in metrics if point["kind"] == "loss"]
    losses = losses[:: max(1, len(losses) // CURVE_POINTS)]
    spread = [point for point in metrics if point["kind"] == "snapshot" and "geometry" in point]
    even = spread[-1]["geometry"]["dim"] ** -0.5 if spread else None
    return {
        "loss": [[point["epoch"], point["loss"]] for point in losses],
        "chance": losses[-1].get("chance") if losses else None,
        "std": [[point["epoch"], point["geometry"]["std"]] for point in spread],
        "even": even,
    }


def no_neighbors() -> dict[str, Any]:
    """The neighbors while no point is chosen: a sentence that asks for a click."""
    return {"rows": [], "empty": text("map.empty")}


def neighbors(model: Model, layer: MapLayer, event: gr.EventData) -> tuple[dict[str, Any], Any]:
    """The clicked image's neighbors in the space of the map: as images, and as lines to draw."""
    data = model.dataset
    point = _points(event._data.get("id"), 1, len(data.on_map))[0]
    row = int(data.on_map[point])
    near = neighbors_on_map(model.map_features(layer), data, point)
    title = text("map.neighbors", name=image_name(data, row), space=text(f"map.layers.{layer}"))
    found = [(int(data.on_map[p]), c) for p, c in near]
    by_search = model.search_cosines(row, [other for other, _ in found], layer)
    hint = text("map.neighbors_hint") if by_search is None else text("map.neighbors_hint_both")
    details = [text("map.by_search", cosine=f"{each:.2f}") for each in by_search or ()]
    items = neighbor_row(title, hint, data, found, row, details)
    # Gradio reports a change only of a value that differs, so each answer has a number of its own.
    lines = {"from": point, "to": [p for p, _ in near], "cosines": [c for _, c in near], "call": time.monotonic_ns()}
    return {"rows": [items]}, gr.update(lines=lines)


def lay_out_all(model: Model) -> Iterator[tuple[Any, Any]]:
    """Lay out all images over time; yields progress for the map, and at the end a number that no call had before."""
    try:
        for done in lay_out(model.run, model.dataset):
            yield gr.update(laying=done), gr.skip()
    except Exception as error:  # in any case the button works again
        notice(error)
        yield gr.update(laying=-1), gr.skip()
        return
    yield gr.update(laying=-1), time.monotonic_ns() // 1_000_000


def _points(given: Any, most: int, count: int) -> list[int]:
    """Positions from the page, validated.

    Raises:
        UserError: they are not positions.
    """
    listed = given if isinstance(given, list) else [given]
    if not listed or not all(type(each) is int and 0 <= each < count for each in listed):
        raise UserError("map.no_points")
    return listed[:most]


def use_as_batch(model: Model, event: gr.EventData) -> str:
    """The selected images as the batch of the other tabs."""
    data = model.dataset
    points = _points(event._data.get("ids"), MAX_BATCH, len(data.on_map))
    if len(points) < 2:
        raise UserError("map.too_few")
    return f"{data.name}:{','.join(str(int(data.on_map[point])) for point in points)}"


def search_for(model: Model, event: gr.EventData) -> str:
    """The image to search for, by its name in the search tab."""
    rows = model.dataset.on_map
    return offered_name(model, int(rows[_points(event._data.get("id"), 1, len(rows))[0]]))


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; it is drawn when its tab opens."""
    explanation("map", text("map.about"))
    with gr.Row(elem_classes="panel-row"):
        with gr.Column(scale=1, min_width=320):
            view = embedding_map(texts("map.view"), elem_id="map-view")
            found = image_rows(no_neighbors(), sheet=True, elem_id="map-neighbors")
        with gr.Column(scale=0, min_width=260, elem_classes="panel beside"):
            projector = gr.Radio(
                [("t-SNE", "tsne"), ("UMAP", "umap"), ("PCA", "pca")],
                value="tsne",
                label=text("map.projector"),
                info=text("map.projector_hint"),
            )
            layer = gr.Radio(
                [(text(f"map.layers.{name}"), name) for name in MAP_LAYERS],
                value="feature",
                label=text("map.layer"),
                info=text("map.layer_hint"),
            )
            color = gr.Radio(
                [(text(f"map.colors.{name}"), name) for name in COLORS],
                value="class",
                label=text("map.color"),
                info=text("map.color_hint"),
            )
    for name, control in (("projector", projector), ("layer", layer), ("color", color)):
        page.link(name, control)
    page.link("points", read=lambda raw, _: one_of(raw, ["images", "points"]))
    page.link("snapshot", read=lambda raw, _: number(raw, 0, 1000))
    page.link("view", read=lambda raw, _: [number(part, -200, 200) for part in raw.split("_", 2)])
    page.link("off", read=lambda raw, _: [number(part, 0, 65535) for part in raw.split(".")])
    page.link("trails", read=lambda raw, _: one_of(raw, ["true"]))
    page.link("point", read=lambda raw, _: number(raw, 0, 10**7))
    laid_out = gr.Number(0, visible=False)
    triggers = [opened, projector.change, layer.change, color.change, laid_out.change]
    page.draws(triggers, show, [page.model, projector, layer, color, page.picked], view, queue=True)
    # Queued as `point_click` is, so that they keep their order.
    view.point_clear(page.handles(no_neighbors), None, found, **PRESSED)

    def laid(request: gr.Request, model: Model) -> Iterator[tuple[Any, Any]]:
        page.access.check("train", request)
        if model.name in page.store.own_names():
            page.access.own(model.folder.path, request)
        yield from lay_out_all(model)

    how: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "once"}
    how |= {"concurrency_limit": 1, "concurrency_id": "lay_out"}
    view.lay_out(page.handles(laid, page.model), page.model, [view, laid_out], **how)
    view.point_click(page.handles(neighbors, [page.model, layer]), [page.model, layer], [found, view], **PRESSED)
    for event, handler, target, tab in (
        (view.use_batch, use_as_batch, page.picked, "loss"),
        (view.use_search, search_for, page.wanted, "search"),
    ):
        sent = event(page.handles(handler, page.model), page.model, target, **PRESSED)
        sent.success(None, js=f"() => window.contrastiveLink.goTo('{tab}')", api_visibility="private")
