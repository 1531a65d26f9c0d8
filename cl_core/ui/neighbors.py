"""Neighbors as a row of captioned images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.errors import UserError
from cl_core.evaluation.neighbors import nearest_others
from cl_core.explore.model import Model
from cl_core.text import text
from cl_core.ui import images
from cl_core.ui.names import image_name

NEIGHBORS = 8  # of an image on a map


def neighbors_on_map(features: Tensor, data: Dataset, point: int) -> list[tuple[int, float]]:
    """The `NEIGHBORS` nearest images of other groups: points of the map and their cosines.

    Args:
        features: (M, D) float32 of length 1, of the images on the map.
        point: among them.
    """
    cosines, points = nearest_others(features, data.groups[data.on_map], torch.tensor([point]), NEIGHBORS)
    # With fewer other groups the rest is -inf.
    return [(int(p), float(c)) for p, c in zip(points[0], cosines[0], strict=True) if c > -torch.inf]


def neighbor_row(
    title: str,
    hint: str,
    data: Dataset,
    found: list[tuple[int, float]],
    first: int | None = None,
    details: Sequence[str] = (),
) -> dict[str, Any]:
    """One row of a `image_rows` value: images and their cosines.

    Args:
        first: an image to put in front, the query.
        details: for each image found a second line below its cosine.
    """
    items = [] if first is None else [image_item(data, first, text("common.query"))]
    lines = details or [""] * len(found)
    items += [image_item(data, row, f"{cosine:.2f}", line) for (row, cosine), line in zip(found, lines, strict=True)]
    return {"title": title, "hint": hint, "items": items}


def image_item(data: Dataset, row: int, note: str, detail: str = "") -> dict[str, Any]:
    """An item of `image_rows`: an image of a data set, with a line or two below its name."""
    item = {"src": images.thumbnail(data, row), "caption": image_name(data, row), "note": note, "id": row}
    return item | ({"detail": detail} if detail else {})


def offered_name(model: Model, row: int) -> str:
    """The name under which the search tab offers an image of the data set, or another image of its group.

    Raises:
        UserError: it offers none of the group.
    """
    data = model.dataset
    same_group = {int(data.groups[each]): name for name, each in model.choices.items()}
    name = same_group.get(int(data.groups[row]))
    if name is None:
        raise UserError("map.not_offered", name=image_name(data, row))
    return name
