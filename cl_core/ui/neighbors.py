"""Neighbors as a row of captioned images."""

from __future__ import annotations

from typing import Any

from cl_core.data.dataset import Dataset
from cl_core.text import text
from cl_core.ui import images as images


def neighbor_row(
    title: str, hint: str, data: Dataset, found: list[tuple[int, float]], first: int | None = None
) -> dict[str, Any]:
    """One row of a `image_rows` value: images and their cosines; `first` is one to put in front, the query."""
    items = [] if first is None else [_item(data, first, text("common.query"))]
    items += [_item(data, row, f"{cosine:.2f}") for row, cosine in found]
    return {"title": title, "hint": hint, "items": items}


def _item(data: Dataset, row: int, note: str) -> dict[str, Any]:
    return {"src": images.thumbnail(data, row), "caption": data.names[row], "note": note, "id": row}
