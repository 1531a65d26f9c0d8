"""Parts of a data set that a search can be limited to: classes, and the coarser families of classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from cl_core.data.dataset import Dataset

Kind = Literal["family", "class"]
MAX_OFFERED = 1_000  # classes of a menu


@dataclasses.dataclass(frozen=True)
class Part:
    """Images of one family or class.

    index: in `Dataset.family_names` or `Dataset.classes`. images: how many there are.
    """

    kind: Kind
    index: int
    images: int

    @property
    def value(self) -> str:
        """Its name in menus and links."""
        return f"{self.kind}-{self.index}"


def parts_of(dataset: Dataset) -> list[Part]:
    """The parts of a data set that have images: families first, where they differ from the classes; none without labels."""
    found = []
    if dataset.family_names != dataset.classes and len(dataset.family_names) > 1:
        found += _counted("family", dataset.families, len(dataset.family_names))
    if dataset.labeled:
        found += _counted("class", dataset.labels, len(dataset.classes))[:MAX_OFFERED]
    return found


def _counted(kind: Kind, labels: Tensor, count: int) -> list[Part]:
    images = labels[labels >= 0].bincount(minlength=count).tolist()
    return [Part(kind, index, number) for index, number in enumerate(images) if number]


def rows_among(dataset: Dataset, chosen: Sequence[str]) -> Tensor | None:
    """Which images belong to one of the chosen parts, (N,) bool; None where none of `chosen` is a part of this data set.

    Args:
        chosen: values of `Part`; those of other data sets are ignored.
    """
    offered = {part.value: part for part in parts_of(dataset)}
    parts = [offered[value] for value in chosen if value in offered]
    if not parts:
        return None
    labels = {"family": dataset.families, "class": dataset.labels}
    return torch.stack([labels[part.kind] == part.index for part in parts]).any(0)
