"""How training went: loss, chance line, kNN, learning rate."""

from __future__ import annotations

from typing import Any

import gradio as gr
import torch

from cl_core.errors import UserError
from cl_core.losses.negative_cosine import LOWEST
from cl_core.methods import METHODS
from cl_core.projection import pca_axes
from cl_core.runs import find_run
from cl_core.training.run_folder import Snapshots
from cl_core.ui import library, pictures
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import QUICK
from cl_core.ui.page import Event, Page
from cl_core.ui.text import text, texts


def show(model: str, others: list[str]) -> tuple[dict[str, Any], str]:
    """The curves of the chosen runs, and the protocol of the accuracy."""
    from cl_core.figures.curves import loss_figure, quality_figure

    names = [model, *(name for name in others if name != model)]
    folders = {name: find_run(name) for name in names}
    record = folders[model].read_record()
    baselines = {text("curves.pixels"): record.figures["pixels"]["accuracy"]} if "pixels" in record.figures else {}
    metrics = {name: folder.read_metrics() for name, folder in folders.items()}
    words = texts("curves.figure")
    floors = {name: LOWEST for name, folder in folders.items() if folder.read_record().config.method == "simsiam"}
    figures = loss_figure(metrics, floors, words), quality_figure(metrics, baselines, words)
    value = figures_value(*figures, label=text("curves.label"))
    config = record.config
    summary = text(
        "curves.summary",
        model=model,
        epochs=config.epochs,
        batch=config.batch_size,
        encoder=config.encoder,
        method=config.method,
        temperature=text("curves.temperature", t=f"{config.temperature:g}") if METHODS[config.method].has_temperature else "",
        minutes=f"{record.seconds / 60:.0f}",
        device=record.device,
        knn=f"{record.figures['knn']['accuracy']:.1%}",
        protocol=record.figures["protocol"],
    )
    health = record.figures.get("health")
    if health:
        geometry = record.figures["geometry"]
        even = f"{geometry['dim'] ** -0.5:.3f}"
        spread = {"std": f"{geometry['std']:.3f}", "even": even, "rank": f"{geometry['effective_rank']:.0f}"}
        summary += "\n\n" + text(f"curves.health.{health['verdict'].replace(' ', '_')}", **spread)
    return value, summary


def show_moment(model: str, moment: float) -> tuple[dict[str, Any], str]:
    """The probe pictures' embeddings at the snapshot `moment` percent of the way, in the basis of the last."""
    from cl_core.figures.scatter import map_figure

    data, snapshots = library.dataset(model), _snapshots(model)
    mean, axes = pca_axes(snapshots.embeddings[-1].float())
    points = (snapshots.embeddings.float() - mean) @ axes
    index = round(float(moment) / 100 * (len(snapshots.steps) - 1))
    position = {row: i for i, row in enumerate(data.shown.tolist())}
    record = find_run(model).read_record()
    epoch = f"{snapshots.steps[index] / record.total_steps * record.config.epochs:.1f}"
    words = {"epoch": epoch, "count": str(len(snapshots.rows))}
    value = figures_value(
        map_figure(
            points[index],
            data.families[snapshots.rows],
            data.family_names,
            torch.tensor([position[row] for row in snapshots.rows.tolist()]),
            limit=1.05 * float(points.abs().max()),
        ),
        label=text("curves.moment_label", **words),
        card="map",
        names=[data.names[row] for row in data.shown.tolist()],
        sprites=pictures.dataset_sprites(data),
    )
    return value, text("curves.moment_summary", **words)


def _snapshots(model: str) -> Snapshots:
    snapshots = find_run(model).read_snapshots()
    if snapshots is None:
        raise UserError(f"{model} has no snapshots.safetensors: restore the file, or train the run again.")
    return snapshots


def build(page: Page, shown: Event) -> None:
    """Lay out the view; it is drawn when its tab opens."""
    gr.Markdown(text("curves.about"), elem_classes="about")
    with gr.Row(elem_classes="tools"):
        others = gr.CheckboxGroup(library.checkpoint_names()[1:], label=text("curves.others"))
    summary = gr.Markdown(elem_classes="summary")
    view = figure_view(elem_id="curves-view")
    page.model.change(
        lambda name: gr.update(choices=[n for n in library.checkpoint_names() if n != name], value=[]),
        page.model,
        others,
        show_progress="hidden",
        api_visibility="private",
    )
    gr.on(
        [shown, others.change],
        page.handles(show),
        [page.model, others],
        [view, summary],
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )
    # In percent, so that it fits runs with any number of snapshots.
    moment = gr.Slider(0, 100, 100, step=1, label=text("curves.moment"), info=text("curves.moment_hint"), elem_id="curves-moment")
    moment_summary = gr.Markdown(elem_classes="summary")
    moment_view = figure_view(elem_id="moment-view")
    gr.on(
        [shown, moment.change],
        page.handles(show_moment),
        [page.model, moment],
        [moment_view, moment_summary],
        **QUICK,
    )
