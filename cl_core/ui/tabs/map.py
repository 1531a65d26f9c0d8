"""The map of a data set: pictures as points, a click shows a point's neighbours."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.maps import map_points
from cl_core.projection import Projector
from cl_core.ui import library, pictures
from cl_core.ui.components import figure_view, picture_rows
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.library import Space
from cl_core.ui.neighbours import neighbour_row
from cl_core.ui.page import Event, Page
from cl_core.ui.text import text

NEIGHBOURS = 8


def show(model: str, projector: Projector, space: Space) -> dict[str, Any]:
    """The data set's shown pictures as points."""
    from cl_core.figures.scatter import map_figure

    data = library.dataset(model)
    run = library.run(model) if space == "trained" else library.untrained(model)
    points = map_points(run, data, projector)
    rows = data.shown
    return figures_value(
        map_figure(points, data.families[rows], data.family_names),
        label=text("map.label", name=data.name),
        card="map",
        names=[data.names[row] for row in rows.tolist()],
        sprites=pictures.dataset_sprites(data),
    )


def neighbours(model: str, event: gr.EventData) -> dict[str, Any]:
    """The clicked picture's neighbours in the space itself, trained and untrained."""
    data = library.dataset(model)
    point = event._data["id"]
    if not isinstance(point, int) or not 0 <= point < len(data.shown):
        return {"rows": [], "empty": text("map.empty")}
    row = int(data.shown[point])
    rows = []
    for space in ("trained", "untrained"):
        gallery = library.gallery(model, space)
        found = gallery.search(gallery.feature(row), NEIGHBOURS, data.groups[row : row + 1])[0]
        title = text("map.neighbours", name=data.names[row], space=text(f"spaces.{space}"))
        rows.append(neighbour_row(title, text("map.neighbours_hint"), data, found, first=row))
    return {"rows": rows}


def build(page: Page, shown: Event) -> None:
    """Lay out the view; it is drawn when its tab opens."""
    gr.Markdown(text("map.about"), elem_classes="about")
    with gr.Row(elem_classes="tools"):
        projector = gr.Radio(
            [("PCA", "pca"), ("t-SNE", "tsne"), ("UMAP", "umap")],
            value="pca",
            label=text("map.projector"),
            info=text("map.projector_hint"),
        )
        space = gr.Radio(
            [(text("spaces.trained"), "trained"), (text("spaces.untrained"), "untrained")],
            value="trained",
            label=text("map.space"),
            info=text("map.space_hint"),
        )
    view = figure_view(elem_id="map-view")
    found = picture_rows({"rows": [], "empty": text("map.empty")}, elem_id="map-neighbours")
    gr.on(
        [shown, projector.change, space.change],
        page.handles(show),
        [page.model, projector, space],
        view,
        trigger_mode="always_last",
        api_visibility="private",
    )
    view.point_click(page.handles(neighbours), page.model, found, show_progress="hidden", api_visibility="private")
    page.model.change(page.handles(lambda: {"rows": [], "empty": text("map.empty")}), None, found, api_visibility="private")
