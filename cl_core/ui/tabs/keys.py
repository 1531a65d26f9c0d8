"""Where keys come from: end-to-end, a memory bank, or a queue with a momentum encoder."""

from __future__ import annotations

import math
from typing import Any

import gradio as gr
import numpy as np
import torch

from cl_core.data.dataset import Dataset, instance_rows, instances
from cl_core.data.registry import load_dataset
from cl_core.explore.keys import Keys
from cl_core.explore.paradigms import MAX_STEPS, PARADIGMS, Paradigm, paradigm
from cl_core.text import text
from cl_core.ui import images
from cl_core.ui.components import key_step, keys_view
from cl_core.ui.events import QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.links import one_of
from cl_core.ui.names import image_name
from cl_core.ui.packing import packed
from cl_core.ui.page import Event, Page, after_drawing

FIRST = 4  # the snapshot that is shown first
STEPPED = "moco-0.99"  # the run whose step is shown first
KINDS = {"simclr": "batch", "infonce-bank": "bank", "moco": "queue"}
BAND = (0.1, 0.9)  # quantiles


def show() -> dict[str, Any]:
    """The keys of all runs at the snapshots at which they were measured."""
    runs = [paradigm(name) for name in PARADIGMS]
    data = load_dataset(runs[0].record.config.dataset)
    content = {
        "names": [image_name(data, row) for row in instance_rows(data, False).tolist()],
        "steps": runs[0].history.steps,
        "first": FIRST,
        "paradigms": [_paradigm_value(run, data) for run in runs],
    }
    return {"sprites": images.cached_sprites(data, instance_rows(data, False)), "file": images.json_file("keys", content)}


def _paradigm_value(run: Paradigm, data: Dataset) -> dict[str, Any]:
    history, (of_row, _) = run.history, instances(data, False)
    snapshots = []
    for step, rows, ages, cosines, lag in zip(
        history.steps, history.rows, history.ages, history.cosines, history.lags, strict=True
    ):
        low, high = cosines.quantile(torch.tensor(BAND)).tolist()
        shown = {"step": step, "consistency": float(cosines.mean()), "low": low, "high": high}
        shown["lag"] = None if math.isnan(lag) else lag
        snapshots.append(shown | _keys_value(of_row[rows], ages, cosines))
    return {
        "name": run.name,
        "label": text(f"keys.label.{run.name}"),
        "about": text(f"keys.about.{run.name}", **_numbers(run)),
        "knn": run.record.metrics["knn"]["accuracy"],
        "snapshots": snapshots,
    }


def _numbers(run: Paradigm) -> dict[str, Any]:
    """What the texts about the runs name."""
    config, first = run.record.config, run.folder.read_metrics()[0]
    return {
        "negatives": 2 * config.batch_size - 2,
        "images": f"{run.record.instances:,}",
        "oldest": max(int(each.max()) for each in run.history.ages),
        "queue": f"{config.queue_size:,}",
        "untrained": f"{100 * first['knn']['accuracy']:.1f} %",
    }


def _keys_value(instances: torch.Tensor, ages: torch.Tensor, cosines: torch.Tensor) -> dict[str, str]:
    packs = packed(instances, np.int16), packed(ages, np.int16), packed(cosines, np.float32)
    return dict(zip(("instances", "ages", "cosines"), packs, strict=True))


def show_step(name: str, number: float) -> dict[str, Any]:
    """One of the steps that follow the end of a run."""
    if name not in PARADIGMS or not 0 <= number < MAX_STEPS:  # the page asks for no other
        return {}
    run = paradigm(name)
    step = run.step(int(number))
    data = load_dataset(run.record.config.dataset)
    of_row, _ = instances(data, False)
    compared = step.compared

    def stored(keys: Keys) -> dict[str, str]:
        return _keys_value(of_row[keys.rows], keys.ages, keys.cosines) | {"places": packed(keys.places, np.int16)}

    anchors = [
        {"src": images.data_url(images.to_image(view)), "caption": image_name(data, row), "own": own, "loss": loss}
        for view, row, own, loss in zip(
            step.views, step.rows.tolist(), compared.own.tolist(), compared.losses.tolist(), strict=False
        )
    ]
    return {
        "sprites": images.cached_sprites(data, instance_rows(data, False)),
        "names": [image_name(data, row) for row in instance_rows(data, False).tolist()],
        "paradigm": name,
        "paradigms": [
            {"name": each, "label": text(f"keys.label.{each}"), "kind": KINDS[settings["method"]]}
            for each, settings in PARADIGMS.items()
        ],
        "number": int(number),
        "most": MAX_STEPS,
        "step": step.step,
        "lr": step.lr,
        "loss": step.loss,
        "chance": step.chance,
        "gradient": step.gradient,
        "temperature": run.record.config.temperature,
        "before": stored(step.before),
        "updated": packed(step.updated, np.float32),
        "after": stored(step.after),
        "consistency": {
            "before": step.before.consistency,
            "updated": float(step.updated.mean()),
            "after": step.after.consistency,
        },
        "batch": packed(of_row[step.rows], np.int16),
        "anchors": anchors,
        "cosines": packed(compared.cosines, np.float32),
        "weights": packed(compared.weights, np.float32),
    }


def asked(event: gr.EventData) -> tuple[Any, Any]:
    """The run and the number of the step to show."""
    name, count = event._data.get("name"), event._data.get("number")
    if name not in PARADIGMS or type(count) is not int or not 0 <= count < MAX_STEPS:
        return gr.skip(), gr.skip()
    return name, count


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; the step is drawn after the keys."""
    explanation("keys", text("keys.about"))
    view = keys_view(elem_id="keys-view")
    step = key_step(elem_id="key-step")
    name = gr.Textbox(STEPPED, visible=False)
    count = gr.Number(0, visible=False, precision=0)
    page.link("paradigm", name, read=lambda raw, _: one_of(raw, list(PARADIGMS)))
    drawn = page.draws([opened], show, [], view, queue=True)
    below = after_drawing(drawn)
    one_at_a_time: dict[str, Any] = {"queue": True, "concurrency_limit": 1, "concurrency_id": "keys"}
    page.draws([below.change], show_step, [name, count], step, **one_at_a_time)
    picked = step.ask(asked, None, [name, count], **QUICK)
    picked.success(None, None, below, js="() => window.contrastiveLink.nextTurn()", api_visibility="private")
