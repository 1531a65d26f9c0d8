"""The form of the tab Train: images, method and minutes; all other settings, in groups, below."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from typing import Any

import gradio as gr

from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError, quoted
from cl_core.networks.encoders.registry import ENCODERS
from cl_core.networks.methods import METHODS, TRAINABLE
from cl_core.runs.config import RunConfig
from cl_core.runs.fields import SettingField, as_option, setting_fields
from cl_core.runs.options import read_settings
from cl_core.runs.presets import COFFEE
from cl_core.system.device import choose_device
from cl_core.text import text
from cl_core.training.setup import image_size
from cl_core.ui.components import menu, setting_table
from cl_core.ui.components.settings import number_setting, setting_reader
from cl_core.ui.events import PRESSED, QUICK
from cl_core.ui.page import Event, Page
from cl_core.ui.training_plan import in_minutes

EPOCHS, BATCH = 14, 64  # a few minutes on two cores, a few hundred steps on a few thousand images
SNAPSHOTS = 6  # each takes seconds
FORM = ("dataset", "method", "encoder", "epochs", "batch_size", "temperature", "lr")
MAX_OTHER = 2_000  # characters of further settings
USUAL = {"snapshots": str(SNAPSHOTS)}  # where the form's default is not that of the command line
FIELDS = {
    field.name: dataclasses.replace(field, default=USUAL.get(field.name, field.default))
    for field in setting_fields(RunConfig)
    if field.name not in FORM
}
GROUPS: dict[str, tuple[str, ...]] = {
    "network": ("image_size", "train_size", "projection_hidden", "projection_dim", "projection_last_norm", "whitening"),
    "many_views": ("views", "small_views", "small_size", "small_crop_scale"),
    "learned": ("learn_temperature",),
    "simclr": ("exclude_false_negatives",),
    "dcl": ("decoupled_sigma",),
    "hcl": ("hardness", "negative_prior"),
    "supcon": ("sup_con_form",),
    "simsiam": ("stop_gradient", "predictor"),
    "predictor": ("predictor_hidden",),
    "bank": ("negatives", "bank_momentum"),
    "moco": ("queue_size", "batch_norm_splits"),
    "momentum": ("key_momentum",),
    "barlow_twins": ("redundancy_weight",),
    "vicreg": ("invariance_weight", "variance_weight", "covariance_weight"),
    "optimizer": (
        "optimizer",
        "momentum",
        "weight_decay",
        "schedule",
        "warmup",
        "plateau_patience",
        "plateau_factor",
    ),
    "views": ("drawings", *(name for name in FIELDS if name.startswith("augment."))),
    "run": ("snapshots", "seed", "precision", "compile"),
}
METHODS_OF = {
    "many_views": ("simclr", "supcon"),
    "learned": ("simclr", "dcl", "hcl", "siglip", "supcon"),
    "simclr": ("simclr",),
    "dcl": ("dcl",),
    "hcl": ("hcl",),
    "supcon": ("supcon",),
    "simsiam": ("simsiam",),
    "predictor": ("simsiam", "byol"),
    "bank": ("nce-bank", "infonce-bank"),
    "moco": ("moco",),
    "momentum": ("moco", "byol"),
    "barlow_twins": ("barlow-twins",),
    "vicreg": ("vicreg",),
}


@dataclasses.dataclass(frozen=True)
class TrainingForm:
    """The controls of the form, those of `FORM` in that order, the minutes, and the line of further options.

    planned: hidden, the minutes that were estimated last: others were typed.
    """

    controls: list[Any]
    minutes: gr.Number
    planned: gr.Number
    other: gr.Textbox

    @property
    def dataset(self) -> Any:
        """The menu of images."""
        return self.controls[0]


def further_settings(other: str) -> dict[str, str]:
    """The settings in a line of options: names, nested ones with a dot, and values as texts.

    Raises:
        UserError: the line is too long, or has an unknown option.
    """
    if len(other) > MAX_OTHER:
        raise UserError("train.other_long", most=f"{MAX_OTHER:,}")
    found: dict[str, str] = {}
    for name, value in read_settings(other, RunConfig).items():
        nested = value.items() if isinstance(value, dict) else [("", value)]
        found |= {f"{name}.{inner}" if inner else name: as_option(each) for inner, each in nested}
    return found


def with_setting(other: str, name: Any, value: Any) -> str:
    """A line of options with one setting changed; an empty value removes it.

    Raises:
        UserError: there is no such setting, or the line is not valid or too long.
    """
    if not isinstance(name, str) or name not in FIELDS or not isinstance(value, str):
        raise UserError("train.no_setting", name=quoted(name))
    given = further_settings(other)
    given.pop(name, None)
    if value:
        given[name] = value
    line = " ".join(_option(each, text) for each, text in given.items())
    if len(line) > MAX_OTHER:
        raise UserError("train.other_long", most=f"{MAX_OTHER:,}")
    return line


def _option(name: str, value: str) -> str:
    between = "=" if value.startswith("-") else " "  # else a negative number would be taken for an option
    return f"--{name.replace('_', '-')}{between}{shlex.quote(value)}"


def show_settings(method: str, other: str) -> dict[str, Any]:
    """The value of the table of settings; a line that is not valid is explained beside the button."""
    try:
        given = further_settings(other)
    except UserError:
        given = {}
    return {"method": method, "given": {name: value for name, value in given.items() if name in FIELDS}}


def setting_changed(other: str, event: gr.EventData) -> str:
    """The line of options after a change in the table."""
    return with_setting(other, event._data.get("name"), event._data.get("value"))


def planned(plan: str) -> tuple[Any, Any]:
    """Data set and method of what another tab wants to be trained: their names, then a number after "#"."""
    dataset, method = [*plan.partition(" #")[0].split(" "), ""][:2]
    return dataset or gr.skip(), method or gr.skip()


def coffee_break(dataset: str, minutes: float) -> tuple[list[Any], str]:
    """The recipe `coffee` for a data set: values of `FORM`, and the line of further options.

    Views in training have three quarters of the side of the images, as in the recipe. The epochs are those that fit into the
    minutes; on an accelerator, where that cannot be estimated, those of the recipe.

    Raises:
        UserError: there is no such data set.
    """
    recipe = COFFEE | {"dataset": dataset, "train_size": 0}
    whole = image_size(RunConfig.model_validate(recipe), load_dataset(dataset))
    recipe["train_size"] = max(16, round(0.75 * whole / 4) * 4)
    config = in_minutes(RunConfig.model_validate(recipe), minutes, None)
    further = {name: value for name, value in recipe.items() if name not in FORM and not isinstance(value, dict)}
    further |= {f"augment.{name}": value for name, value in recipe["augment"].items()}
    values = [getattr(config, name) for name in FORM]
    return values, " ".join(_option(name, as_option(value)) for name, value in further.items())


def temperature_counts(method: str) -> Any:
    """The temperature field, disabled for methods without one."""
    has = method in METHODS and METHODS[method].has_temperature
    return gr.update(interactive=has)


def build_form(page: Page) -> TrainingForm:
    """Lay out images, method and minutes."""

    def choice(name: str, choices: Callable[[str | None], list[str]]) -> gr.Dropdown:
        offered, usual = choices(""), RunConfig.model_fields[name].default
        control = menu(offered, value=usual if usual in offered else offered[0], **_labels(name), filterable=False, render=False)
        page.link(f"train-{name}", control, choices=choices)
        return control

    def number(name: str, **props: Any) -> gr.Number:
        control = number_setting(RunConfig, name, **(_labels(name) | {"render": False} | props))
        page.link(f"train-{name.replace('_', '-')}", control, read=setting_reader(RunConfig, name))
        return control

    dataset = choice("dataset", dataset_names)
    method = choice("method", lambda _: TRAINABLE)
    encoder = choice("encoder", lambda _: list(ENCODERS))
    epochs, batch = number("epochs", value=EPOCHS), number("batch_size", value=BATCH)
    temperature, lr = number("temperature"), number("lr")
    minutes = gr.Number(
        None,
        label=text("train.set.minutes"),
        info=text("train.hint.minutes"),
        minimum=0,
        visible=choose_device().type == "cpu",  # elsewhere they cannot be estimated
        render=False,
        elem_id="train-minutes",
    )
    other = gr.Textbox(
        "",
        label=text("train.other"),
        info=text("train.other_hint"),
        placeholder="--stop-gradient false --augment.flip-prob 0",
        max_lines=1,
        max_length=MAX_OTHER,
        render=False,
        elem_id="train-other",
    )
    page.link("train-other", other)
    dataset.render()
    with gr.Row():
        method.render()
        minutes.render()
    page.data.change(planned, page.data, [dataset, method], **QUICK)
    method.change(page.handles(temperature_counts), method, temperature, **QUICK)
    return TrainingForm([dataset, method, encoder, epochs, batch, temperature, lr], minutes, gr.Number(visible=False), other)


def build_all_settings(page: Page, opened: Event, form: TrainingForm) -> None:
    """Lay out all other settings, folded away."""
    _, method, encoder, epochs, batch, temperature, lr = form.controls
    with gr.Accordion(text("train.all_settings"), open=False, elem_id="train-settings"):
        with gr.Row():
            encoder.render()
            epochs.render()
        with gr.Row():
            batch.render()
            temperature.render()
            lr.render()
        groups: dict[str, list[SettingField]] = {group: [FIELDS[name] for name in names] for group, names in GROUPS.items()}
        table = setting_table(groups, METHODS_OF, elem_id="train-table")
        form.other.render()
    page.draws([opened, method.change, form.other.change], show_settings, [method, form.other], table)
    table.setting_change(page.handles(setting_changed), form.other, form.other, **PRESSED)


def _labels(name: str) -> dict[str, Any]:
    return {"label": text(f"train.set.{name}"), "info": text(f"train.hint.{name}")}
