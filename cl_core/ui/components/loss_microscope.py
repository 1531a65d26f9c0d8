"""The similarity matrices of a batch with the loss written out: point at a cell, see its term, and back."""

from __future__ import annotations

import dataclasses
from typing import Any

import gradio as gr
import numpy as np
from torch import Tensor

from cl_core.losses.anatomy import DIMENSION_FORMS, Anatomy
from cl_core.ui.components.base import module_component
from cl_core.ui.packing import packed

STAGES = ("cosine", "scaled", "mask", "probability", "log", "mean", "gradient")
TEMPERATURES = (0.01, 10.0)


def loss_microscope(strings: dict[str, str], linked: bool = True, **props: Any) -> gr.HTML:
    """Draws matrices side by side; numbers follow the pointer and the temperature without the server.

    Args:
        strings: its texts. linked: whether the page's link holds its state.

    value: `panels`, each made by `panel_value`; `roles`, the names that the panels' codes stand for; `roleNames`, what
        they mean; `measure`: `cosine`, `dot` or `logit`; `sprites`, a sheet that begins with the rows' images, or none;
        `summary`, with **strong** parts.
    """
    given: dict[str, Any] = {"strings": strings, "linked": linked, "stages": STAGES, "temperatures": TEMPERATURES}
    return module_component(
        "loss_microscope",
        styles=("sheet", "matrix"),
        **given,
        **props,
    )


def panel_value(
    name: str,
    anatomy: Anatomy,
    roles: Tensor,
    rows: list[str],
    columns: list[dict[str, Any]],
    chance: float | None,
    row_sprites: list[int] | None = None,
) -> dict[str, Any]:
    """One matrix.

    Args:
        roles: (R, C) what each cell is, as a position in the value's `roles`.
        rows: names of the anchors. columns: {sprite, caption, key} each; equal keys are the same candidate.
        row_sprites: places of the rows' images in the sheet, by default the first ones.
    """
    value = {
        "name": name,
        "rows": len(rows),
        "rowNames": rows,
        "columns": columns,
        "cosines": packed(anatomy.cosines, np.float32),
        "roles": packed(roles, np.uint8),
        "form": dataclasses.asdict(anatomy.form),
        "chance": chance,
    }
    if row_sprites is not None:
        value["rowSprites"] = row_sprites
    if anatomy.form.kind in DIMENSION_FORMS:  # the browser does not have what these are computed from
        value |= {part: packed(getattr(anatomy, part), np.float32) for part in ("contribution", "gradient")}
    return value
