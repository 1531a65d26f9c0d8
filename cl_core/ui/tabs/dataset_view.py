"""What a data set contains: facts, images of its classes, and copies among its images; part of the tab Images."""

from __future__ import annotations

import html
from typing import Any

import torch

from cl_core.data.dataset import Dataset, spaced
from cl_core.data.importing import NOT_STATED
from cl_core.evaluation.near_duplicates import find_copies
from cl_core.system.memo import Memo
from cl_core.text import text
from cl_core.ui import images
from cl_core.ui.names import class_name, image_name

MAX_CLASSES, EACH = 8, 10  # classes that are shown, and images of each
FEW = 5  # images of a class
MAX_COPIES = 5  # pairs that are shown
MAX_SEARCHED = 70_000  # images among which copies are found while the page waits
copies_of: Memo[tuple[torch.Tensor, torch.Tensor]] = Memo(32)


def facts(data: Dataset) -> str:
    """What a data set contains, in sentences as HTML."""
    parts = [text("images.count", count=f"{len(data):,}", side=data.size)]
    if len(data.test):
        parts.append(text("images.splits", train=f"{len(data.train):,}", test=f"{len(data.test):,}"))
    parts.append(text("images.classes", count=len(data.classes)) if data.labeled else text("images.unlabeled"))
    without = int((data.labels < 0).sum())
    if data.labeled and without:
        parts.append(text("images.without", count=f"{without:,}"))
    sizes = torch.bincount(data.labels[data.labels >= 0], minlength=len(data.classes)).tolist() if data.labeled else []
    small = [class_name(data, label) for label, size in enumerate(sizes) if size < FEW]
    if small:
        parts.append(text("images.small", count=len(small), name=small[0]))
    if data.license not in ("", NOT_STATED):
        parts.append(text("images.license", license=data.license))
    return f"<p class='data-facts'><strong>{html.escape(data.title)}.</strong> {html.escape(' '.join(parts))}</p>"


def samples(data: Dataset) -> list[dict[str, Any]]:
    """Rows of images: of the largest classes, or of all images."""
    if not data.labeled:
        return [_row(data, text("images.all"), "", spaced(torch.arange(len(data)), 2 * EACH).tolist())]
    counts = torch.bincount(data.labels[data.labels >= 0], minlength=len(data.classes))
    shown = []
    for label in counts.argsort(descending=True, stable=True)[:MAX_CLASSES].tolist():
        of_class = (data.labels == label).nonzero()[:, 0]
        rows = spaced(of_class, EACH).tolist()
        shown.append(_row(data, class_name(data, label), text("images.of_class", count=f"{int(counts[label]):,}"), rows))
    return shown


def copies(data: Dataset) -> list[dict[str, Any]]:
    """Rows of images that are copies of others: first those in both splits."""
    if len(data) > MAX_SEARCHED:
        return []
    within, across = copies_of.get((data.name, data.digest), lambda: _find(data))
    rows = []
    for key, found in (("leaks", across), ("copies", within)):
        pairs = (found >= 0).nonzero()[:, 0]
        if len(pairs):
            both = [row for i in pairs[:MAX_COPIES].tolist() for row in (int(found[i]), i)]
            rows.append(_row(data, text(f"images.{key}", count=f"{len(pairs):,}"), text(f"images.{key}_hint"), both))
    return rows


def _find(data: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    """Copies anywhere, and copies in the test split of images of the train split; images of one group are not counted."""
    within = find_copies(data.images)
    within[data.groups[within.clamp(min=0)] == data.groups] = -1
    across = torch.full_like(within, -1)
    if len(data.test):
        order = torch.cat([data.train, data.test])
        sorted_already = torch.equal(order, torch.arange(len(data)))
        found = find_copies(data.images if sorted_already else data.images[order], len(data.train))[len(data.train) :]
        across[data.test] = torch.where(found >= 0, order[found.clamp(min=0)], -1)
    return within, across


def _row(data: Dataset, title: str, hint: str, rows: list[int]) -> dict[str, Any]:
    items = [{"src": images.thumbnail(data, row), "caption": image_name(data, row), "note": "", "id": None} for row in rows]
    return {"title": title, "hint": hint, "items": items}
