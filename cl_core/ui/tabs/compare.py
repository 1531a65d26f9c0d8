"""Two or three runs side by side: their curves, and the same batch, map and query for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
import numpy as np
import torch

from cl_core.augment.views import make_views
from cl_core.evaluation.knn import has_split, knn_correct, split_of, split_text
from cl_core.explore.accuracy_difference import difference, differing_settings
from cl_core.explore.batch import chosen_batch, embed_batch
from cl_core.explore.model import Model
from cl_core.explore.model_store import ModelStore
from cl_core.explore.projection import Projector, align
from cl_core.runs.feature_cache import cached_rows
from cl_core.text import text, texts
from cl_core.training.setup import uses_labels
from cl_core.ui import images
from cl_core.ui.components import figure_view, image_rows, loss_microscope, menu, twin_maps
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import PRESSED, QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.names import family_names
from cl_core.ui.neighbors import neighbor_row, neighbors_on_map
from cl_core.ui.packing import packed, whole_numbers
from cl_core.ui.page import Event, Page, after_drawing, any_of
from cl_core.ui.tabs.curves import lowest_losses, protocols_of
from cl_core.ui.tabs.loss import Loss, breakdown_by, image_panel, value_of
from cl_core.ui.tabs.map import names_file

MAX_MODELS = 3
PROJECTIONS = [("t-SNE", "tsne"), ("UMAP", "umap"), ("PCA", "pca")]
MAX_SETTINGS = 4  # that are listed
LOSS: Loss = "nt-xent"
TEMPERATURE = 0.1


def chosen_models(model: Model, others: list[Model]) -> list[Model]:
    """The page's model and the models compared with it, at most `MAX_MODELS`."""
    return [model, *(other for other in others if other.name != model.name)][:MAX_MODELS]


def offered(store: ModelStore, name: str, viewer: str | None = "") -> list[str]:
    """Models to compare with: runs on the same images first, those that differ in the fewest settings before the others.

    Among equals those whose views are of the same size come first.
    """
    own = store.config(name)

    def distance(other: str) -> tuple[bool, int, bool]:
        config = store.config(other)
        return config.dataset != own.dataset, len(differing_settings(own, config)), config.train_size != own.train_size

    return sorted((other for other in store.names(viewer) if other != name), key=distance)


def labeled_choices(store: ModelStore, name: str, viewer: str | None = "") -> list[tuple[str, str]]:
    """Labels and names of the models to compare with; a run on other images says so."""
    own = store.config(name).dataset
    found = []
    for other in offered(store, name, viewer):
        dataset = store.config(other).dataset
        found.append((other if dataset == own else text("compare.on_other", name=other, dataset=dataset), other))
    return found


def show_verdict(model: Model, others: list[Model]) -> str:
    """Which run is better, by how much, and in what they differ; one sentence for each that is compared."""
    return " ".join(_verdict(model, other) for other in chosen_models(model, others)[1:])


def _verdict(first: Model, second: Model) -> str:
    names = {"first": first.name, "second": second.name}
    if first.config.dataset != second.config.dataset:
        return text("compare.verdict.other_data", dataset=second.config.dataset, **names)
    data = first.dataset
    partly = len(cached_rows(data)) < len(data)  # of a large data set an encoder's features are computed for the gallery alone
    seen = any(uses_labels(each.config) for each in (first, second))
    if not has_split(data, seen):
        return text("compare.verdict.few_labels", **names) if data.labeled else text("compare.verdict.unmeasured", **names)
    if partly and not (first.has_training_loss and second.has_training_loss):
        return text("compare.verdict.partly", **names)
    split = split_of(data, seen)
    right = [knn_correct(each.features(), data, split) for each in (first, second)]
    found = difference(*right)
    a, b = (f"{100 * each.double().mean():.1f}" for each in right)
    gap = abs(float(a) - float(b))  # of the numbers that are shown
    protocol = split_text(len(split.queries), len(split.gallery), split.rule)
    amount = {"gap": f"{gap:.1f}", "error": f"{100 * found.error:.1f}", "protocol": protocol}
    if not found.certain:
        said = text("compare.verdict.equal", a=a, b=b, **names, **amount)
    elif found.gap > 0:
        said = text("compare.verdict.better", better=second.name, worse=first.name, high=b, low=a, **amount)
    else:
        said = text("compare.verdict.better", better=first.name, worse=second.name, high=a, low=b, **amount)
    return f"{said} {_differ(first, second)}"


def _differ(first: Model, second: Model) -> str:
    settings = differing_settings(first.config, second.config)
    listed = [f"{name} {_short(a)} → {_short(b)}" for name, (a, b) in list(settings.items())[:MAX_SETTINGS]]
    if not listed:
        return ""
    more = " …" if len(settings) > MAX_SETTINGS else ""
    if len(settings) == 1:
        return text("compare.verdict.differ.one", settings=listed[0])
    return text("compare.verdict.differ.other", count=len(settings), settings=", ".join(listed) + more)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _on_same_images(models: list[Model]) -> list[Model]:
    return [model for model in models if model.config.dataset == models[0].config.dataset]


def show_curves(model: Model, others: list[Model]) -> dict[str, Any]:
    """Loss, quality, and the path through the plane of alignment and uniformity."""
    from cl_core.figures.curves import loss_figure, path_figure, quality_figure

    models = chosen_models(model, others)
    metrics = {each.name: each.folder.read_metrics() for each in models}
    words = texts("curves.figure")
    floors = lowest_losses({each.name: each.config for each in models})
    quality = quality_figure(metrics, {}, protocols_of(models), words, compact=True)
    figures = loss_figure(metrics, floors, words, compact=True), quality, path_figure(metrics, words)
    return figures_value(*figures, label=text("compare.curves_label"))


def show_batch(model: Model, others: list[Model], count: float, seed: float, picked: str) -> dict[str, Any]:
    """The same views through every run, by one loss at one temperature, so that numbers can be compared."""
    models = _on_same_images(chosen_models(model, others))
    data, batch = model.dataset, chosen_batch(model, picked, int(count), int(seed))
    augment = model.config.augment
    panels, losses = list[dict[str, Any]](), list[str]()
    for each in models:
        # The same crops and colors for runs on images of another size.
        generator = torch.Generator().manual_seed(int(seed))
        pair = [make_views(data.images[batch.rows], augment, each.size, generator)[0] for _ in range(2)]
        breakdown = breakdown_by(LOSS, embed_batch(each.run, torch.cat(pair)), batch.labels, TEMPERATURE)
        panels.append(image_panel(each.name, breakdown, batch, data, data.labels, {}))
        losses.append(f"{each.name} **{{loss{len(losses)}}}**")
    summary = text("compare.batch_summary", t="{t}", losses=", ".join(losses))  # numbers follow the slider in the browser
    return value_of(panels, images.sprites(batch.views), summary)


def show_maps(model: Model, others: list[Model], projector: Projector) -> dict[str, Any]:
    """Maps of the same images by every run, rotated to match the first."""
    models = _on_same_images(chosen_models(model, others))
    data = model.dataset
    points = [each.map_points(projector) for each in models]
    aligned = [align(each, points[0]) for each in points]
    return {
        "maps": [
            {"name": each.name, "points": packed(whole_numbers(placed), np.int16)}
            for each, placed in zip(models, aligned, strict=True)
        ],
        "count": len(data.on_map),
        "groups": packed(data.families[data.on_map], np.uint16),
        "groupNames": family_names(data),
        "sprites": images.dataset_sprites(data),
        "names": names_file(data, data.on_map),
    }


def show_query(model: Model, others: list[Model], point: float, titles: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One image's nearest neighbors by every run. titles: of the rows, by the names of the runs, which are the default."""
    data = model.dataset
    point = min(max(int(point), 0), len(data.on_map) - 1)  # of another data set
    row = int(data.on_map[point])
    rows = []
    for each in _on_same_images(chosen_models(model, others)):
        near = [(int(data.on_map[p]), cosine) for p, cosine in neighbors_on_map(each.map_features(), data, point)]
        title = (titles or {}).get(each.name, each.name)
        rows.append(neighbor_row(title, text("map.neighbors_hint"), data, near, first=row))
    return {"rows": rows}


def _clicked(event: gr.EventData) -> Any:
    point = event._data.get("id")
    return point if type(point) is int else gr.skip()


def _choices(store: ModelStore, name: str, others: list[str], viewer: str | None) -> Any:
    names, choices = offered(store, name, viewer), labeled_choices(store, name, viewer)
    chosen = [other for other in others if other in names]
    if chosen and chosen == others:
        return gr.update(choices=choices)
    return gr.update(choices=choices, value=chosen or names[:1])


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; it is drawn when its tab opens."""
    explanation("compare", text("compare.about"))
    store = page.store
    first = offered(store, store.names()[0])
    with gr.Row(elem_classes="panel-row"):
        with gr.Column(scale=1, min_width=320):
            verdict = gr.Markdown(elem_classes="summary", elem_id="compare-verdict")
            curves = figure_view(elem_id="compare-curves")
        with gr.Column(scale=0, min_width=260, elem_classes="panel beside"):
            others = menu(
                labeled_choices(store, store.names()[0]),
                value=first[:1],
                multiselect=True,
                max_choices=MAX_MODELS - 1,
                label=text("compare.others"),
                info=text("compare.others_hint"),
            )
            projector = gr.Radio(PROJECTIONS, value="tsne", label=text("map.projector"))
            again = gr.Button(text("loss.again"), variant="primary")
            explanation("compare-curves", text("compare.curves_about"))
    # A multiselect menu fires a change at every update; a textbox only if its text changes.
    compared = gr.Textbox(",".join(first[:1]), visible=False)
    point = gr.Number(0, visible=False, precision=0)
    explanation("compare-map", text("compare.map_about"))
    maps = twin_maps(texts("twin_maps"), elem_id="compare-maps")
    found = image_rows({"rows": [], "empty": text("compare.map_empty")}, elem_id="compare-neighbors")
    explanation("compare-batch", text("compare.batch_about"))
    batch = loss_microscope(texts("loss_microscope"), linked=False, elem_id="compare-batch")
    page.resolve(others, lambda names: [store.get(name) for name in names])
    page.link("others", others, choices=store.names)
    page.link("plane", projector)
    page.link("asked", point)

    def to_compare(request: gr.Request, name: str, chosen: list[str]) -> Any:
        return _choices(store, name, chosen, page.access.viewer(request))

    opened(page.handles(to_compare), [page.model, others], others, **QUICK)
    others.change(None, others, compared, js="(names) => names.join()", api_visibility="private")
    both = [page.model, others]
    redrawn = [opened, compared.change]
    first_screen = page.draws(redrawn, show_curves, both, curves, queue=True)
    any_of(redrawn)(page.handles(show_verdict, both), both, verdict, **(PRESSED | {"show_progress": "minimal"}))
    below = after_drawing(first_screen)
    page.draws([below.change, projector.change], show_maps, [*both, projector], maps, queue=True)
    page.draws([below.change, point.change], show_query, [*both, point], found, queue=True)
    page.draws([below.change], show_batch, [*both, page.count, page.seed, page.picked], batch, queue=True)
    maps.point_click(_clicked, None, point, **QUICK)
    page.draws_new_batch(again)
