"""Augmented pairs: two views of one image and their augmentations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import torch

from cl_core.augment.record import ViewRecord, sample_record
from cl_core.augment.settings import AugmentConfig
from cl_core.augment.styles import CHANCES, StyleRecord
from cl_core.augment.views import apply_record
from cl_core.data.decoding import decode_image
from cl_core.explore.model import Model
from cl_core.text import text
from cl_core.ui import images
from cl_core.ui.components import image_upload, menu, pair_view
from cl_core.ui.events import QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.links import image_reader
from cl_core.ui.names import image_choices, image_name
from cl_core.ui.page import Event, Page

COLORS = ("#0072B2", "#D55E00")
SHOWN_SIZE = 128  # views are drawn at this size, so that a person sees what the blur and the crop do
SEED_LIMIT = 2**31
# A link names an image only after somebody chose one; it must be one of the present data set.
KEEP_LINK = (
    "(name) => { if (window.contrastiveLink.get('image') !== null) window.contrastiveLink.set('image', name, null); return []; }"
)


def describe(record: ViewRecord, row: int, height: int, width: int) -> list[str]:
    """The augmentations of one view, in their order."""
    h, w = record.box[row, 2:].tolist()
    lines = [text("views.did.crop", fraction=f"{h * w / (height * width):.0%}", ratio=f"{w / h:.2f}")]
    if record.flipped[row]:
        lines.append(text("views.did.flip"))
    factors = record.factors[row].tolist()
    names = ("brightness", "contrast", "saturation", "hue")
    for kind in record.order[row].tolist():
        neutral = 0.0 if names[kind] == "hue" else 1.0
        if abs(factors[kind] - neutral) > 1e-6:
            amount = f"{factors[kind] * 360:+.0f}°" if names[kind] == "hue" else f"{factors[kind]:.2f}"
            lines.append(text(f"views.did.{names[kind]}", amount=amount))
    if record.gray[row]:
        lines.append(text("views.did.gray"))
    if record.sigma[row] > 0:
        lines.append(text("views.did.blur", sigma=f"{float(record.sigma[row]):.1f}"))
    return lines if record.style is None else lines + describe_style(record.style, row)


def describe_style(style: StyleRecord, row: int) -> list[str]:
    """The styles of one view, in their order."""
    lines = []
    if style.shading[row].any():
        lines.append(text("views.did.shading"))
    if style.palette[row] > 0:
        lines.append(text("views.did.palette"))
    if style.levels[row] > 0:
        lines.append(text("views.did.flat", levels=int(style.levels[row])))
    if style.lines[row] > 0:
        lines.append(text("views.did.contours") if style.colored[row] else text("views.did.lines"))
    if style.thickness[row] != 0:
        lines.append(text("views.did.thick") if style.thickness[row] > 0 else text("views.did.thin"))
    return lines


def style_settings(chance: float) -> dict[str, float]:
    """Settings under which each style is applied with the given chance."""
    return dict.fromkeys(CHANCES, chance)


def make_pair(image: torch.Tensor, name: str, config: AugmentConfig, seed: int) -> dict[str, Any]:
    """The value of a `pair_view` for one image (1, 3, H, W) uint8."""
    height, width = int(image.shape[2]), int(image.shape[3])
    record = sample_record(2, height, width, config, torch.Generator().manual_seed(seed))
    views = apply_record(image.expand(2, -1, -1, -1), record, SHOWN_SIZE)
    drawn = []
    for i, color in enumerate(COLORS):
        top, left, h, w = record.box[i].tolist()
        drawn.append(
            {
                "src": images.data_url(images.to_image(views[i])),
                "caption": text("views.view", number=i + 1),
                "color": color,
                "box": [100 * left / width, 100 * top / height, 100 * w / width, 100 * h / height],
                "lines": describe(record, i, height, width),
            }
        )
    return {"original": {"src": images.data_url(images.to_image(image[0])), "caption": name}, "views": drawn}


def show(
    model: Model, choice: str | None, upload: str | None, seed: float,
    crop: float, flip: float, jitter: float, gray: float, blur: float, style: float,
) -> dict[str, Any]:  # fmt: skip
    """Two views of the uploaded image, or else of the chosen one."""
    config = AugmentConfig(
        crop_scale_min=crop,
        flip_prob=flip,
        color_jitter_prob=1.0 if jitter > 0 else 0.0,
        brightness=min(1.0, jitter),
        contrast=min(1.0, jitter),
        saturation=min(1.0, jitter),
        hue=min(0.5, jitter / 4),
        grayscale_prob=gray,
        blur_prob=blur,
        **style_settings(style),
    )
    if upload:
        image = decode_image(Path(upload), text("common.file"))
        return make_pair(images.as_tensor(image), text("common.your_image"), config, int(seed))
    data = model.dataset
    names = model.choices
    row = names.get(choice or "", next(iter(names.values())))
    return make_pair(data.images[row : row + 1], image_name(data, row), config, int(seed))


def choices(model: Model, chosen: str | None) -> dict[str, Any]:
    """The images to pick from when the model changes; the one chosen stays if it is among them."""
    names = model.choices
    listed = image_choices(model.dataset, names)
    return gr.update(choices=listed, value=chosen if chosen in names else listed[0][1])


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; it is drawn when the page opens."""
    explanation("views", text("views.about"))
    with gr.Row(elem_classes="panel-row turned-on-phones"):
        with gr.Column(scale=1, min_width=260, elem_classes="panel"):
            choice = menu([], label=text("views.choice"), info=text("views.choice_hint"), filterable=True)
            again = gr.Button(text("views.again"), variant="primary")
            crop = gr.Slider(
                0.05, 1, 0.3, step=0.05, elem_id="views-crop", label=text("views.crop"), info=text("views.crop_hint")
            )
            jitter = gr.Slider(0, 1, 0.4, step=0.05, label=text("views.jitter"), info=text("views.jitter_hint"))
            with gr.Accordion(text("views.more"), open=False):
                flip = gr.Slider(0, 1, 0.5, step=0.05, label=text("views.flip"))
                gray = gr.Slider(0, 1, 0.2, step=0.05, label=text("views.gray"))
                blur = gr.Slider(0, 1, 0.5, step=0.05, label=text("views.blur"))
                style = gr.Slider(0, 1, 0, step=0.05, label=text("views.style"), info=text("views.style_hint"))
            upload = image_upload(text("views.upload"), elem_id="views-upload", height=200, sources=["upload", "clipboard"])
        with gr.Column(scale=3, min_width=320):
            view = pair_view(elem_id="views-view")
    seed = gr.Number(1, visible=False, precision=0)
    page.link("image", choice, event="input", read=image_reader(page.store))
    named = {"crop": crop, "jitter": jitter, "flip": flip, "gray": gray, "blur": blur, "style": style, "pair": seed}
    for name, control in named.items():
        page.link(name, control)
    offered = opened(page.handles(choices, page.model), [page.model, choice], choice, **QUICK)
    offered.then(None, choice, None, js=KEEP_LINK, api_visibility="private")
    inputs = [page.model, choice, upload, seed, crop, flip, jitter, gray, blur, style]
    page.draws([control.change for control in (seed, crop, flip, jitter, gray, blur, style)], show, inputs, view)
    # Notices travel through the queue, which sliders go past to be quick.
    page.draws([opened, choice.change, upload.change], show, inputs, view, queue=True)
    choice.input(lambda: None, None, upload, **QUICK)  # a choice takes the upload's place
    again.click(lambda value: int(value) % SEED_LIMIT + 1, seed, seed, **QUICK)
