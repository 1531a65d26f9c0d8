"""Augmented pairs: two views of one picture, and what was done to make them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import torch

from cl_core.augment.record import ViewRecord, sample_record
from cl_core.augment.settings import ViewConfig
from cl_core.augment.views import apply_record
from cl_core.data.decoding import decode_picture
from cl_core.text import text
from cl_core.ui import images as pictures
from cl_core.ui import model_store as library
from cl_core.ui.components import menu, pair_view, picture_upload
from cl_core.ui.events import QUICK
from cl_core.ui.links import read_picture
from cl_core.ui.page import Event, Page

COLOURS = ("#0072B2", "#D55E00")
SHOWN_SIZE = 128  # views are drawn at this size, so that a person sees what the blur and the crop do
SEED_LIMIT = 2**31


def describe(record: ViewRecord, row: int, height: int, width: int) -> list[str]:
    """What was done to one view, in words, in the order it was done."""
    h, w = record.box[row, 2:].tolist()
    lines = [text("pairs.did.crop", share=f"{h * w / (height * width):.0%}", ratio=f"{w / h:.2f}")]
    if record.flipped[row]:
        lines.append(text("pairs.did.flip"))
    factors = record.factors[row].tolist()
    names = ("brightness", "contrast", "saturation", "hue")
    for kind in record.order[row].tolist():
        neutral = 0.0 if names[kind] == "hue" else 1.0
        if abs(factors[kind] - neutral) > 1e-6:
            amount = f"{factors[kind] * 360:+.0f}°" if names[kind] == "hue" else f"{factors[kind]:.2f}"
            lines.append(text(f"pairs.did.{names[kind]}", amount=amount))
    if record.grey[row]:
        lines.append(text("pairs.did.grey"))
    if record.sigma[row] > 0:
        lines.append(text("pairs.did.blur", sigma=f"{float(record.sigma[row]):.1f}"))
    return lines


def make_pair(picture: torch.Tensor, name: str, config: ViewConfig, seed: int) -> dict[str, Any]:
    """The value of a `pair_view` for one picture (1, 3, H, W) uint8."""
    height, width = int(picture.shape[2]), int(picture.shape[3])
    record = sample_record(2, height, width, config, torch.Generator().manual_seed(seed))
    views = apply_record(picture.expand(2, -1, -1, -1), record, SHOWN_SIZE)
    shown = []
    for i, colour in enumerate(COLOURS):
        top, left, h, w = record.box[i].tolist()
        shown.append(
            {
                "src": pictures.data_url(pictures.to_image(views[i])),
                "caption": text("pairs.view", number=i + 1),
                "colour": colour,
                "box": [100 * left / width, 100 * top / height, 100 * w / width, 100 * h / height],
                "lines": describe(record, i, height, width),
            }
        )
    return {"original": {"src": pictures.data_url(pictures.to_image(picture[0])), "caption": name}, "views": shown}


def show(
    model: str, choice: str | None, upload: str | None, seed: float,
    crop: float, flip: float, jitter: float, grey: float, blur: float,
) -> dict[str, Any]:  # fmt: skip
    """Two views of the uploaded picture, or else of the chosen one."""
    config = ViewConfig(
        crop_scale_min=crop,
        flip=flip,
        jitter=1.0 if jitter > 0 else 0.0,
        brightness=min(1.0, jitter),
        contrast=min(1.0, jitter),
        saturation=min(1.0, jitter),
        hue=min(0.5, jitter / 4),
        grey=grey,
        blur=blur,
    )
    if upload:
        image = decode_picture(Path(upload), text("common.file"))
        return make_pair(pictures.as_tensor(image), text("common.your_picture"), config, int(seed))
    data = library.dataset(model)
    names = library.choices(data)
    row = names.get(choice or "", next(iter(names.values())))
    return make_pair(data.pictures[row : row + 1], data.names[row], config, int(seed))


def choices(model: str, chosen: str | None) -> dict[str, Any]:
    """The pictures to pick from when the model changes; the one chosen stays if it is among them."""
    names = list(library.choices(library.dataset(model)))
    return gr.update(choices=names, value=chosen if chosen in names else names[0])


def build(page: Page, shown: Event) -> None:
    """Lay out the view; it is drawn when the page opens."""
    gr.Markdown(text("pairs.about"), elem_classes="about")
    with gr.Row(elem_classes="panel-row result-first"):
        with gr.Column(scale=1, min_width=260, elem_classes="panel"):
            choice = menu([], label=text("pairs.choice"), info=text("pairs.choice_hint"), filterable=True)
            again = gr.Button(text("pairs.again"), variant="primary")
            crop = gr.Slider(
                0.05, 1, 0.3, step=0.05, elem_id="pairs-crop", label=text("pairs.crop"), info=text("pairs.crop_hint")
            )
            jitter = gr.Slider(0, 1, 0.4, step=0.05, label=text("pairs.jitter"), info=text("pairs.jitter_hint"))
            with gr.Accordion(text("pairs.more"), open=False):
                flip = gr.Slider(0, 1, 0.5, step=0.05, label=text("pairs.flip"))
                grey = gr.Slider(0, 1, 0.2, step=0.05, label=text("pairs.grey"))
                blur = gr.Slider(0, 1, 0.5, step=0.05, label=text("pairs.blur"))
            upload = picture_upload(text("pairs.upload"), elem_id="pairs-upload", height=200, sources=["upload", "clipboard"])
        with gr.Column(scale=3, min_width=320):
            view = pair_view(elem_id="pairs-view")
    seed = gr.Number(1, visible=False, precision=0)
    page.keep("picture", choice, event="input", read=read_picture)
    for name, control in (("crop", crop), ("jitter", jitter), ("flip", flip), ("grey", grey), ("blur", blur), ("pair", seed)):
        page.keep(name, control)
    shown(page.handles(choices), [page.model, choice], choice, **QUICK)
    inputs = [page.model, choice, upload, seed, crop, flip, jitter, grey, blur]
    page.draws([control.change for control in (seed, crop, flip, jitter, grey, blur)], show, inputs, view)
    # Notices travel through the queue, which sliders go past to be quick.
    page.draws([shown, choice.change, upload.change], show, inputs, view, queue=True)
    choice.input(lambda: None, None, upload, **QUICK)  # a choice takes the upload's place
    again.click(lambda value: int(value) % SEED_LIMIT + 1, seed, seed, **QUICK)
