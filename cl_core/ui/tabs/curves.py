"""How training went: loss, chance line, kNN, learning rate."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.runs import find_run
from cl_core.ui import library
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.notices import noticed
from cl_core.ui.text import text, texts


@noticed
def show(model: str, others: list[str]) -> tuple[dict[str, Any], str]:
    """The curves of the chosen runs, and the protocol of the accuracy."""
    from cl_core.figures.curves import curves_figure

    names = [model, *(name for name in others if name != model)]
    folders = {name: find_run(name) for name in names}
    record = folders[model].read_record()
    baselines = {text("curves.pixels"): record.figures["pixels"]["accuracy"]} if "pixels" in record.figures else {}
    metrics = {name: folder.read_metrics() for name, folder in folders.items()}
    value = figures_value(curves_figure(metrics, baselines, texts("curves.figure")), label=text("curves.label"))
    config = record.config
    summary = text(
        "curves.summary",
        model=model,
        epochs=config.epochs,
        batch=config.batch_size,
        encoder=config.encoder,
        t=f"{config.temperature:g}",
        minutes=f"{record.seconds / 60:.0f}",
        device=record.device,
        knn=f"{record.figures['knn']['accuracy']:.1%}",
        protocol=record.figures["protocol"],
    )
    return value, summary


def build(model: gr.Dropdown, tab: gr.Tab, start: gr.Blocks) -> None:
    """Lay out the view; it is drawn when its tab opens."""
    gr.Markdown(text("curves.about"), elem_classes="about")
    with gr.Row(elem_classes="tools"):
        others = gr.CheckboxGroup(library.checkpoint_names()[1:], label=text("curves.others"))
    summary = gr.Markdown(elem_classes="summary")
    view = figure_view(elem_id="curves-view")
    model.change(
        lambda name: gr.update(choices=[n for n in library.checkpoint_names() if n != name], value=[]),
        model,
        others,
        show_progress="hidden",
        api_visibility="private",
    )
    gr.on(
        [tab.select, model.change, others.change],
        show,
        [model, others],
        [view, summary],
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )
