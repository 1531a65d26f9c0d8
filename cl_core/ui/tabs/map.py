"""The embedding map: images as points, their nearest neighbors as lines, and snapshots of the training."""

from __future__ import annotations

import base64
import json
import time
from typing import Any, Literal

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from cl_core.errors import UserError
from cl_core.evaluation.neighbors import nearest_others
from cl_core.explore.batch import LARGEST, picked_rows
from cl_core.explore.maps import snapshot_points
from cl_core.explore.model import MAP_LAYERS, MapLayer, Model
from cl_core.explore.projection import Projector
from cl_core.runs.folder import RunFolder, Snapshots
from cl_core.system.files import write_bytes
from cl_core.text import text, texts
from cl_core.ui import images
from cl_core.ui.components import embedding_map, image_rows
from cl_core.ui.events import QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.links import number, one_of
from cl_core.ui.neighbors import neighbor_row
from cl_core.ui.page import Event, Page
from cl_core.ui.urls import file_url

Color = Literal["class", "cluster", "agreement", "loss"]
COLORS: tuple[Color, ...] = ("class", "cluster", "agreement", "loss")
NEIGHBORS = 8
CELLS = 24  # images in the matrix that moves with the training
CURVE_POINTS = 200
WHOLE = 32767


def show(model: Model, projector: Projector, layer: MapLayer, color: Color, picked: str) -> dict[str, Any]:
    """The images of the data set as points, and the monitor images at each snapshot."""
    data = model.dataset
    points = model.map_points(projector, layer)
    place = {row: i for i, row in enumerate(data.shown.tolist())}
    return {
        "name": f"{model.name}-{layer}-{projector}",
        "label": text("map.label", name=data.name),
        "count": len(points),
        "points": packed(whole_numbers(points), np.int16),
        "sprites": images.dataset_sprites(data),
        "names": names_file(model),
        "batch": [place[row] for row in picked_rows(picked, data) if row in place],
        "snapshots": snapshots_value(model),
        **colored(model, layer, color),
    }


def colored(model: Model, layer: MapLayer, color: Color) -> dict[str, Any]:
    """What colors the points: groups with names, or a number each."""
    data = model.dataset
    if color == "class":
        families = data.families[data.shown]
        return {"groups": packed(families, np.uint8), "groupNames": data.family_names, "score": None}
    if color == "cluster":
        clusters = model.map_clusters(layer)
        names = [text("map.cluster", number=i + 1) for i in range(int(clusters.max()) + 1)]
        return {"groups": packed(clusters, np.uint8), "groupNames": names, "score": None}
    score = model.map_agreement(layer) if color == "agreement" else model.map_losses()
    about = text("map.score.agreement") if color == "agreement" else text("map.score.loss")
    return {"groups": None, "groupNames": [], "score": {"values": packed(score, np.float32), "about": about}}


def whole_numbers(points: Tensor) -> Tensor:
    """Coordinates (..., 2) as integers around the center: a screen has fewer pixels than 16 bits have values."""
    flat = points.reshape(-1, 2)
    low, high = flat.amin(0), flat.amax(0)
    half = float((high - low).max()) / 2
    return ((points - (low + high) / 2) / max(half, 1e-12) * WHOLE).round()


def packed(values: Tensor, kind: type[np.generic]) -> str:
    """Numbers as base64, little-endian."""
    return base64.b64encode(np.ascontiguousarray(values.numpy()).astype(kind).tobytes()).decode()


def names_file(model: Model) -> str:
    """Address of the names of the images: they load after the first drawing."""
    data = model.dataset
    names = json.dumps([data.names[row] for row in data.shown.tolist()], ensure_ascii=False).encode()
    file = images.sprite_folder() / f"{data.name}-{data.digest or len(data.shown)}-names.json"
    if not file.is_file() or file.stat().st_size != len(names):
        write_bytes(file, names)
    return file_url(file)


def snapshots_value(model: Model) -> dict[str, Any] | None:
    """The monitor images at each snapshot: points in one basis, a similarity matrix of some, loss and spread."""
    folder, data = model.folder, model.dataset
    snapshots = folder.read_snapshots()
    if snapshots is None or len(snapshots.steps) < 2:
        return None
    record = model.record
    points = snapshot_points(snapshots)
    chosen, cosines = _moving_matrix(snapshots, data.families[snapshots.rows])
    per_step = record.config.epochs / record.total_steps
    return {
        "count": len(snapshots.rows),
        "epochs": [step * per_step for step in snapshots.steps],
        "sprites": images.cached_sprites(data, snapshots.rows),
        "names": [data.names[row] for row in snapshots.rows.tolist()],
        "groups": packed(data.families[snapshots.rows], np.uint8),
        "groupNames": data.family_names,
        "points": packed(whole_numbers(points), np.int16),
        "cells": chosen.tolist(),
        "cosines": packed((127 * cosines).round(), np.int8),
        **_curves(folder),
    }


def _moving_matrix(snapshots: Snapshots, families: Tensor) -> tuple[Tensor, Tensor]:
    """Some of the monitor images, grouped by family: positions (M,), cosines (S, M, M)."""
    chosen = torch.linspace(0, len(families) - 1, min(CELLS, len(families))).long()
    chosen = families.argsort(stable=True)[chosen]
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


def neighbors(model: Model, layer: MapLayer, event: gr.EventData) -> tuple[dict[str, Any], Any]:
    """The clicked image's neighbors in the space of the map: as images, and as lines to draw."""
    data = model.dataset
    point = _points(event._data.get("id"), 1, len(data.shown))[0]
    row = int(data.shown[point])
    groups = data.groups[data.shown]
    cosines, positions = nearest_others(model.map_features(layer), groups, torch.tensor([point]), NEIGHBORS)
    near = [(int(p), float(c)) for p, c in zip(positions[0], cosines[0], strict=True) if c > -torch.inf]
    title = text("map.neighbors", name=data.names[row], space=text(f"map.layers.{layer}"))
    found = [(int(data.shown[p]), c) for p, c in near]
    by_search = model.search_cosines(row, [other for other, _ in found], layer)
    hint = text("map.neighbors_hint") if by_search is None else text("map.neighbors_hint_both")
    details = [text("map.by_search", cosine=f"{each:.2f}") for each in by_search or ()]
    items = neighbor_row(title, hint, data, found, row, details)
    # Gradio reports a change only of a value that differs, so each answer has a number of its own.
    lines = {"from": point, "to": [p for p, _ in near], "cosines": [c for _, c in near], "call": time.monotonic_ns()}
    return {"rows": [items]}, gr.update(lines=lines)


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
    points = _points(event._data.get("ids"), LARGEST, len(data.shown))
    if len(points) < 2:
        raise UserError("map.too_few")
    return f"{data.name}:{','.join(str(int(data.shown[point])) for point in points)}"


def search_for(model: Model, event: gr.EventData) -> str:
    """The image to search for, by its name in the search tab."""
    data = model.dataset
    row = int(data.shown[_points(event._data.get("id"), 1, len(data.shown))[0]])
    same_group = {int(data.groups[r]): name for name, r in model.choices.items()}
    name = same_group.get(int(data.groups[row]))
    if name is None:
        raise UserError("map.not_offered", name=data.names[row])
    return name


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; it is drawn when its tab opens."""
    explanation("map", text("map.about"))
    with gr.Row(elem_classes="panel-row"):
        with gr.Column(scale=1, min_width=320):
            view = embedding_map(texts("map.view"), elem_id="map-view")
            found = image_rows({"rows": [], "empty": text("map.empty")}, elem_id="map-neighbors")
        with gr.Column(scale=0, min_width=260, elem_classes="panel beside"):
            projector = gr.Radio(
                [("PCA", "pca"), ("t-SNE", "tsne"), ("UMAP", "umap")],
                value="pca",
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
    page.link("points", read=lambda raw, _: one_of(raw, ["images"]))
    page.link("snapshot", read=lambda raw, _: number(raw, 0, 1000))
    page.link("view", read=lambda raw, _: [number(part, -200, 200) for part in raw.split("_", 2)])
    page.link("off", read=lambda raw, _: [number(part, 0, 255) for part in raw.split(".")])
    page.link("trails", read=lambda raw, _: one_of(raw, ["true"]))
    page.link("point", read=lambda raw, _: number(raw, 0, 10**7))
    triggers = [opened, projector.change, layer.change, color.change]
    page.draws(triggers, show, [page.model, projector, layer, color, page.picked], view, queue=True)
    # Notices travel through the queue.
    how = QUICK | {"queue": True}
    view.point_click(page.handles(neighbors, [page.model, layer]), [page.model, layer], [found, view], **how)
    for event, handler, target, tab in (
        (view.use_batch, use_as_batch, page.picked, "loss"),
        (view.use_search, search_for, page.wanted, "search"),
    ):
        sent = event(page.handles(handler, page.model), page.model, target, **how)
        sent.success(None, js=f"() => window.contrastiveLink.goTo('{tab}')", api_visibility="private")
