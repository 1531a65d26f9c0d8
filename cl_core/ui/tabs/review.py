"""Images worth a second look: part of the tab Search."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.explore.model import Model
from cl_core.explore.review import Review
from cl_core.text import text
from cl_core.ui import images
from cl_core.ui.names import class_name, image_name
from cl_core.ui.neighbors import image_item

DUPLICATES, ODD, LABELS = "duplicates", "odd", "labels"
KINDS = (DUPLICATES, ODD, LABELS)
MAX_SHOWN = 48  # images or pairs shown


def show(model: Model, kind: str, among: Tensor | None) -> dict[str, Any]:
    """Images of one of `KINDS`, as the value of `image_rows`.

    Args:
        among: (N,) bool, the images to choose from; by default all.
    """
    data = model.dataset
    if kind == LABELS and not data.labeled:
        return {"rows": [], "empty": text("search.review.no_labels")}
    found = model.review()
    items = {DUPLICATES: _pairs, ODD: _odd, LABELS: _doubts}[kind](data, found, among)
    if not items:
        return {"rows": [], "empty": text("search.review.nothing")}
    hint = text(f"search.review.hint.{kind}")
    if len(found.rows) < found.of:
        hint += " " + text("search.review.part", looked=f"{len(found.rows):,}", of=f"{found.of:,}")
    return {"rows": [{"title": text(f"search.find.{kind}"), "hint": hint, "items": items}]}


def _pairs(data: Dataset, found: Review, among: Tensor | None) -> list[dict[str, Any]]:
    items = []
    for pair in found.near_duplicates(among)[:MAX_SHOWN]:
        other = {"src": images.thumbnail(data, pair.other), "caption": image_name(data, pair.other)}
        items.append(image_item(data, pair.row, f"{pair.cosine:.2f}") | {"pair": other})
    return items


def _odd(data: Dataset, found: Review, among: Tensor | None) -> list[dict[str, Any]]:
    return [image_item(data, each.row, f"{each.cosine:.2f}") for each in found.odd_ones(among)[:MAX_SHOWN]]


def _doubts(data: Dataset, found: Review, among: Tensor | None) -> list[dict[str, Any]]:
    items = []
    for each in found.doubtful_labels(among)[:MAX_SHOWN]:
        says = text("search.review.voted", label=class_name(data, each.voted), share=f"{each.share:.0%}")
        items.append(image_item(data, each.row, class_name(data, int(data.labels[each.row])), says))
    return items
