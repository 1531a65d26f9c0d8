"""The loss microscope: the similarity matrix of a batch, untrained beside trained, and the loss written out in numbers."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, get_args

import gradio as gr
import torch
from torch import Tensor

from cl_core.augment.views import plain_views
from cl_core.data.dataset import Dataset, instance_rows
from cl_core.explore.batch import Batch, chosen_batch, dimension_batch, key_images, loss_breakdowns, picked_rows
from cl_core.explore.model import Model
from cl_core.losses import SupConForm
from cl_core.losses.anatomy import Anatomy, decoupled_nt_xent_anatomy, nt_xent_anatomy, sup_con_anatomy
from cl_core.networks.methods import METHODS, LossBreakdown
from cl_core.networks.methods.base import view_columns
from cl_core.text import text, texts
from cl_core.training.setup import uses_labels
from cl_core.ui import images
from cl_core.ui.components import loss_microscope
from cl_core.ui.components.loss_microscope import STAGES, TEMPERATURES, panel_value
from cl_core.ui.events import QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.links import number, one_of
from cl_core.ui.names import class_name, image_name
from cl_core.ui.page import Event, Page, any_of
from cl_core.ui.tabs import what_if

# The model's own loss; others on the same embeddings; and the worked example of the SupCon tutorial.
Loss = Literal["own", "nt-xent", "ratio", "out", "in", "in-sum", "example-out", "example-in", "example-in-sum"]
LOSSES: tuple[Loss, ...] = get_args(Loss)
EXAMPLE_SEED, EXAMPLE_LABELS = 102, (1, 2, 1, 1)
MAX_DIMENSIONS = 256  # of a matrix; it has the square of their number of cells
STORED_KINDS = ("bank", "queue")


def breakdown_by(loss: Loss, z: Tensor, labels: Tensor, temperature: float) -> LossBreakdown:
    """Another loss than the model's own, on embeddings z (2N, D) of N images with labels (N,).

    Its chance level is the same loss of equal embeddings.
    """
    chance = _taken_apart(loss, torch.ones_like(z), labels, temperature).loss
    return LossBreakdown(_taken_apart(loss, z, labels, temperature), *view_columns(len(z)), chance=chance)


def _taken_apart(loss: Loss, z: Tensor, labels: Tensor, temperature: float) -> Anatomy:
    if loss in ("nt-xent", "ratio"):
        first, second = z.chunk(2)
        if loss == "nt-xent":
            return nt_xent_anatomy(first, second, temperature)
        return decoupled_nt_xent_anatomy(first, second, temperature)
    # An image without a class is a class of its own.
    own = torch.where(labels < 0, -1 - torch.arange(len(labels)), labels)
    return sup_con_anatomy(z, own.repeat(2), temperature, _form(loss))


def _form(loss: Loss) -> SupConForm:
    name = loss.removeprefix("example-")
    return "in" if name == "in" else "in-sum" if name == "in-sum" else "out"


def cell_roles(breakdown: LossBreakdown, batch: Batch, instance_labels: Tensor) -> list[list[str]]:
    """What each cell is to the method, as a key of `roles.`: which kind of column, and its part in the loss."""
    count = len(batch.rows)
    rows, columns = breakdown.anatomy.cosines.shape
    row_image = torch.arange(rows) % count
    roles = []
    for row in range(rows):
        own, label = int(row_image[row]), int(batch.labels[row_image[row]])
        line = []
        for column in range(columns):
            kind, number = breakdown.kinds[column], int(breakdown.ids[column])
            if kind == "view":
                same_image, same_label = number % count == own, label >= 0 and int(batch.labels[number % count]) == label
            elif kind == "class":
                same_image, same_label = number == label, number == label
            else:
                same_image = number == int(batch.instances[own])
                same_label = number >= 0 and label >= 0 and int(instance_labels[number]) == label
            if bool(breakdown.anatomy.positive[row, column]):
                part = "positive" if same_image else "positive_class"
            elif bool(breakdown.anatomy.negative[row, column]):
                part = "negative_class" if same_label else "negative"
            else:
                part = "self" if kind == "view" and number == row else "none"
            line.append(f"{kind}.{part}")
        roles.append(line)
    return roles


def _view_names(data: Dataset, batch: Batch) -> list[str]:
    names = [image_name(data, row) for row in batch.rows.tolist()]
    return [text("loss.view", name=name, number=number) for number in (1, 2) for name in names]


def _columns(breakdown: LossBreakdown, views: list[str], stored: dict[int, str], classes: list[str]) -> list[dict[str, Any]]:
    """One a column: its image among the sprites (-1: none), a caption, and a key that tells equal columns."""
    order = list(stored)
    columns = []
    for kind, identity in zip(breakdown.kinds, breakdown.ids.tolist(), strict=True):
        sprite, caption = -1, text("loss.random_key")
        if kind == "view":
            sprite, caption = identity, views[identity]
        elif kind == "class":
            caption = classes[identity]
        elif identity >= 0:
            sprite, caption = len(views) + order.index(identity), text("loss.stored_key", name=stored[identity])
        columns.append({"sprite": sprite, "caption": caption, "key": f"{kind} {identity}"})
    return columns


def _codes(roles: list[list[str]], role_names: list[str]) -> Tensor:
    code = {role: i for i, role in enumerate(role_names)}
    return torch.tensor([[code[role] for role in line] for line in roles], dtype=torch.uint8)


def _picked_notes(batch: Batch, picked: tuple[int, ...]) -> list[str]:
    """A sentence on the images picked by hand: those without a label are left out of a loss that needs labels."""
    used = len(batch.rows) if set(batch.rows.tolist()) <= set(picked) else 0
    if not picked or used == len(picked):
        return [text("loss.picked", count=used)] if picked else []
    return [text("loss.picked_some", used=used, count=len(picked)) if used else text("loss.picked_too_few")]


def lacks_stored_keys(model: Model, batch: Batch) -> bool:
    """Whether the model's loss takes keys that it stores of training images only, and the batch has other images."""
    return bool((batch.instances < 0).any()) and model.run.method.stored_keys(batch.instances[:0], 0) is not None


def show(model: Model, loss: Loss, count: float, seed: float, picked: str = "") -> dict[str, Any]:
    """The similarity matrices under a loss, and its values."""
    if loss.startswith("example-"):
        return show_example(_form(loss))
    run, data = model.run, model.dataset
    if loss == "own" and run.method.compares_dimensions:
        return show_dimensions(model, int(seed))
    batch = chosen_batch(model, picked, int(count), int(seed))
    config = run.record.config
    notes = _picked_notes(batch, picked_rows(picked, data))
    if loss == "own" and lacks_stored_keys(model, batch):
        loss = "nt-xent"
        notes.append(text("loss.not_stored", model=model.name))
    if loss == "own":
        pair = loss_breakdowns(model, batch, 2 * len(batch.rows))
    else:
        before, after = (breakdown_by(loss, z, batch.labels, model.temperature) for z in (batch.untrained, batch.trained))
        pair = before, after
    first_images = instance_rows(data, uses_labels(config))
    keys = sorted({n for c in pair for kind, n in zip(c.kinds, c.ids.tolist(), strict=True) if kind in STORED_KINDS and n >= 0})
    stored = {key: image_name(data, int(first_images[key])) for key in keys}
    panels = [
        image_panel(text(f"spaces.{space}"), breakdown, batch, data, data.labels[first_images], stored)
        for space, breakdown in zip(("untrained", "trained"), pair, strict=True)
    ]
    sheet = [batch.views]
    if keys:
        sheet.append(plain_views(key_images(model, torch.tensor(keys)), run.size))
    measure = "logit" if pair[0].kinds[0] == "class" else "cosine"
    # The browser fills in the temperature and the losses, which follow its slider.
    description = text(f"methods.{config.method}", t="{t}") if loss == "own" else text(f"losses.{loss}.about", t="{t}")
    chance = f"{pair[1].chance:.2f}"
    summary = text("loss.summary", method=description, before="{loss0}", after="{loss1}", chance=chance)
    return value_of(
        panels,
        images.sprites(torch.cat(sheet)),
        " ".join([summary, *notes]),
        measure,
        model.has_temperature,
    )


def image_panel(
    name: str, breakdown: LossBreakdown, batch: Batch, data: Dataset, instance_labels: Tensor, stored: dict[int, str]
) -> dict[str, Any]:
    """One matrix of images. instance_labels: (I,) of the training's instances; stored: names of kept keys, by instance."""
    views = _view_names(data, batch)
    return panel_value(
        name,
        breakdown.anatomy,
        _codes(cell_roles(breakdown, batch, instance_labels), list(texts("roles"))),
        views[: len(breakdown.anatomy.cosines)],
        _columns(breakdown, views, stored, [class_name(data, label) for label in range(len(data.classes))]),
        breakdown.chance,
    )


def show_dimensions(model: Model, seed: int) -> dict[str, Any]:
    """The matrices of a loss that compares dimensions; each dimension is shown by the view with its largest value."""
    batch, config = dimension_batch(model, seed), model.config
    total = batch.trained.shape[1]
    batch = dataclasses.replace(batch, trained=batch.trained[:, :MAX_DIMENSIONS], untrained=batch.untrained[:, :MAX_DIMENSIONS])
    pair = loss_breakdowns(model, batch, 0)
    count = len(batch.rows)
    images_of = [z[:count].argmax(0).tolist() for z in (batch.untrained, batch.trained)]
    kept = sorted({row for rows in images_of for row in rows})
    place = {row: i for i, row in enumerate(kept)}
    names = [text("loss.dimension", number=i + 1) for i in range(batch.trained.shape[1])]
    roles = list(texts("roles"))
    panels = []
    for space, breakdown, rows in zip(("untrained", "trained"), pair, images_of, strict=True):
        parts = [["dimension.positive" if i == j else "dimension.negative" for j in range(len(names))] for i in range(len(names))]
        columns = [
            {"sprite": place[row], "caption": name, "key": f"dimension {i}"}
            for i, (name, row) in enumerate(zip(names, rows, strict=True))
        ]
        panels.append(
            panel_value(
                text(f"spaces.{space}"),
                breakdown.anatomy,
                _codes(parts, roles),
                names,
                columns,
                breakdown.chance,
                [place[row] for row in rows],
            )
        )
    summary = text(
        "loss.summary",
        method=text(f"methods.{config.method}", t=""),
        before="{loss0}",
        after="{loss1}",
        chance=f"{pair[1].chance:.2f}",
    )
    note = text("loss.dimensions", count=count, dimensions=len(names))
    if total > len(names):
        note += " " + text("loss.first_dimensions", total=f"{total:,}")
    if pair[1].terms:
        note += " " + text("loss.terms", **{name: f"{value:.2f}" for name, value in pair[1].terms.items()})
    kind = pair[0].anatomy.form.kind
    return value_of(panels, images.sprites(batch.views[kept]), f"{summary} {note}", kind)


def example_anatomy(form: SupConForm) -> Anatomy:
    """The SupCon tutorial's worked example: four vectors of eight numbers, dot products, temperature 1."""
    z = torch.randn(4, 8, generator=torch.Generator().manual_seed(EXAMPLE_SEED))
    return sup_con_anatomy(z, torch.tensor(EXAMPLE_LABELS), 1.0, form, normalize=False)


def show_example(form: SupConForm) -> dict[str, Any]:
    """The worked example, with its own numbers."""
    anatomy, role_names = example_anatomy(form), list(texts("roles"))
    names = [text("loss.example_row", number=i + 1, label=label) for i, label in enumerate(EXAMPLE_LABELS)]
    roles = [
        [
            "view.self" if i == j else "view.positive_class" if anatomy.positive[i, j] else "view.negative"
            for j in range(len(names))
        ]
        for i in range(len(names))
    ]
    columns = [{"sprite": -1, "caption": name, "key": f"view {i}"} for i, name in enumerate(names)]
    panel = panel_value(text(f"losses.example-{form}"), anatomy, _codes(roles, role_names), names, columns, None)
    values_of = {"denominators": anatomy.denominators, "terms": anatomy.terms, "contributions": anatomy.contribution.sum(1)}
    listed = {name: ", ".join(f"{value:.4f}" for value in values.tolist()) for name, values in values_of.items()}
    summary = text("loss.example_summary", loss=f"{anatomy.loss:.4f}", **listed)
    return value_of([panel], None, summary, "dot", fixed=True)


def value_of(
    panels: list[dict[str, Any]],
    sprites: dict[str, object] | None,
    summary: str,
    measure: str = "cosine",
    trained_temperature: bool = False,
    fixed: bool = False,
) -> dict[str, Any]:
    """What a `loss_microscope` or a `temperature_lab` shows.

    summary: {t} and {loss0}, {loss1} ... are filled in by the browser. trained_temperature: the temperature is one that a run was
    trained with. fixed: it cannot be moved.
    """
    roles = texts("roles")
    value = {"panels": panels, "roles": list(roles), "roleNames": roles}
    value |= {"sprites": sprites, "measure": measure, "summary": summary}
    return value | {"trainedTemperature": trained_temperature, "fixed": fixed}


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; it is drawn when its tab opens."""
    explanation("loss", text("loss.about"))
    with gr.Row(elem_classes="panel-row"):
        with gr.Column(scale=1, min_width=320):
            view = loss_microscope(texts("loss_microscope"), elem_id="loss-view")
        with gr.Column(scale=0, min_width=260, elem_classes="panel beside"):
            loss = gr.Dropdown(
                [(text(f"losses.{name}"), name) for name in LOSSES],
                value="own",
                label=text("loss.loss"),
                info=text("loss.loss_hint"),
                filterable=False,
            )
            count = gr.Slider(4, 32, page.count.value, step=4, label=text("loss.count"), info=text("loss.count_hint"))
            again = gr.Button(text("loss.again"), variant="primary")
    for name, control in (("loss", loss), ("count", count)):
        page.link(name, control)
    page.link("stage", read=lambda raw, _: one_of(raw, STAGES))
    page.link("t", read=lambda raw, _: number(raw, *TEMPERATURES))
    page.link("cell", read=lambda raw, _: _cell(raw))
    chosen = [page.model, loss]
    any_of([opened, loss.change])(page.handles(batch_controls, chosen), chosen, [count, again], **QUICK)
    count.change(None, count, page.count, js="(count) => count", api_visibility="private")  # draws all tabs that show a batch
    count.input(None, None, page.picked, js="() => ''", api_visibility="private")  # chosen images have a number of their own
    page.draws([opened, loss.change], show, [page.model, loss, page.count, page.seed, page.picked], view)
    page.draws_new_batch(again)
    what_if.build(page, opened, loss)


def batch_controls(model: Model, loss: str) -> tuple[Any, Any]:
    """Updates of the number of images and of the button for another batch: off where they would change nothing."""
    batch = not loss.startswith("example-")
    of_dimensions = loss == "own" and METHODS[model.config.method].compares_dimensions  # takes many images
    return gr.update(interactive=batch and not of_dimensions), gr.update(interactive=batch)


def _cell(raw: str) -> tuple[int, ...]:
    """A matrix, a row and a column; whether there is such a cell, the browser sees."""
    panel, row, column = (int(number(part, 0, top)) for part, top in zip(raw.split("."), (1, 255, 255), strict=True))
    return panel, row, column
