"""The `Dataset` container and the rows that training, search and maps take from it."""

from __future__ import annotations

import dataclasses
import re
from functools import cached_property

import torch
from torch import Tensor

DATASET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# Names reserved for public data sets -> images in the train and test split. Their images and order are always the same.
PUBLIC_SIZES = {"cifar10": (50_000, 10_000)}

MAX_CHOICES = 2_000  # entries of a menu
CHOICES_PER_NAME = 10
MAX_FULL_GALLERY = 20_000  # images; of larger data sets with a test split the gallery is `shown`


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Named images with labels.

    Attributes:
        name: unique key.
        title: name for display.
        images: (N, 3, H, W) uint8; grayscale images repeat their channel.
        labels: (N,) int64, index into `classes`; -1 for unlabeled images.
        families: (N,) int64, index into `family_names`: coarser labels, one color each.
        groups: (N,) int64, 0 to G - 1, none empty; images of one group show the same object (an emoji in its skin tones).
            Images of one group are excluded from each other's neighbors and negatives.
        train, test: int64 indices of the splits. Without a test split each image is tested against all others.
        held_out: int64 indices of images whose labels are never used in training; equal to `test` if there is a test split.
        shown: int64 indices of the images in maps and galleries; a map shows one of each group, see `on_map`.
        classes, family_names: names of the labels and of the coarse labels.
        ids, names: one per image.
        digest: hash of the images; empty for data sets whose images never change.
        version: another one after each import, which may bring other names and classes for the same images; 0 for others.
    """

    name: str
    title: str
    images: Tensor
    labels: Tensor
    families: Tensor
    groups: Tensor
    train: Tensor
    test: Tensor
    held_out: Tensor
    shown: Tensor
    classes: list[str]
    family_names: list[str]
    ids: list[str]
    names: list[str]
    license: str
    label_kind: str
    digest: str = ""
    version: int = 0

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return int(self.images.shape[-1])

    @property
    def labeled(self) -> bool:
        """Whether there are at least two classes and a labeled image."""
        return len(self.classes) > 1 and bool((self.labels >= 0).any())

    @cached_property
    def on_map(self) -> Tensor:
        """Rows of the images on maps, (P,) int64: of `shown` the first of each group, in the order of `shown`."""
        return self.shown[first_of_each(self.groups[self.shown]).sort().values]

    def label_name(self, row: int) -> str:
        """Class name of an image; empty for an unlabeled image."""
        label = int(self.labels[row])
        return self.classes[label] if label >= 0 else ""

    def family_name(self, row: int) -> str:
        """Name of an image's coarse label."""
        return self.family_names[int(self.families[row])]


@dataclasses.dataclass(frozen=True)
class Table:
    """Tabular data with labels: values (N, D) float32, labels (N,) int64."""

    name: str
    values: Tensor
    labels: Tensor
    classes: list[str]
    columns: list[str]
    license: str


def every_fifth_group(labels: Tensor, groups: Tensor) -> Tensor:
    """Rows of every fifth group of each label, int64. Labels with fewer than five groups contribute none.

    Args:
        labels, groups: (N,) int64.
    """
    count = int(groups.max()) + 1
    label_of = torch.zeros(count, dtype=torch.long).scatter_(0, groups, labels)
    chosen = torch.zeros(count, dtype=torch.bool)
    for label in label_of.unique():
        chosen[(label_of == label).nonzero()[4::5, 0]] = True
    return chosen[groups].nonzero()[:, 0]


def subset(dataset: Dataset, rows: Tensor) -> Dataset:
    """A data set of some of the images, (M,) distinct int64 rows in any order; they keep their split."""
    position = torch.full((len(dataset),), -1)
    position[rows] = torch.arange(len(rows))

    def kept(split: Tensor) -> Tensor:
        places = position[split]
        return places[places >= 0]

    return dataclasses.replace(
        dataset,
        images=dataset.images[rows],
        labels=dataset.labels[rows],
        families=dataset.families[rows],
        groups=dataset.groups[rows].unique(return_inverse=True)[1],
        train=kept(dataset.train),
        test=kept(dataset.test),
        held_out=kept(dataset.held_out),
        shown=kept(dataset.shown),
        ids=[dataset.ids[row] for row in rows.tolist()],
        names=[dataset.names[row] for row in rows.tolist()],
    )


def training_rows(dataset: Dataset, with_labels: bool) -> Tensor:
    """Rows used for training, int64: all of `train`, or with labels only the labeled ones outside `held_out`."""
    if not with_labels:
        return dataset.train
    usable = ~torch.isin(dataset.train, dataset.held_out) & (dataset.labels[dataset.train] >= 0)
    return dataset.train[usable]


def instances(dataset: Dataset, with_labels: bool) -> tuple[Tensor, int]:
    """Number the groups among the training rows.

    Returns:
        The instance of each row, (N,) int64, -1 for rows that are not trained on; and the number of instances.
    """
    rows = training_rows(dataset, with_labels)
    distinct, instance = dataset.groups[rows].unique(return_inverse=True)
    return torch.full((len(dataset),), -1).scatter_(0, rows, instance), len(distinct)


def instance_rows(dataset: Dataset, with_labels: bool) -> Tensor:
    """First row of each instance, (I,) int64."""
    of_row, count = instances(dataset, with_labels)
    used = (of_row >= 0).nonzero()[:, 0]
    return torch.full((count,), len(dataset)).scatter_reduce(0, of_row[used], used, "amin")


def gallery_rows(dataset: Dataset) -> Tensor:
    """Rows of the search gallery, (G,) int64, ascending: all, or `shown` for a large data set with a test split."""
    whole = len(dataset) <= MAX_FULL_GALLERY or len(dataset.test) == 0
    return torch.arange(len(dataset)) if whole else dataset.shown.sort().values


def group_representatives(dataset: Dataset) -> Tensor:
    """First row of each group, (G,) int64 by group: of an emoji the variant without skin tone."""
    return first_of_each(dataset.groups)


def spaced(rows: Tensor, most: int) -> Tensor:
    """At most `most` of the rows, evenly spaced, (M,): rows are often sorted by class."""
    return rows[torch.linspace(0, len(rows) - 1, min(most, len(rows))).long()]


def first_of_each(groups: Tensor) -> Tensor:
    """Position of the first member of each group that occurs in `groups` (N,), by ascending group: (G,) int64."""
    _, group = groups.unique(return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(groups))
    return first.scatter_reduce(0, group, torch.arange(len(groups)), "amin")


def image_choices(dataset: Dataset) -> dict[str, int]:
    """Menu of images, label -> row: one image a group, at most `CHOICES_PER_NAME` of one name and `MAX_CHOICES` in all."""
    seen: dict[str, int] = {}
    rows: dict[str, int] = {}
    for row in spaced(group_representatives(dataset), MAX_CHOICES).tolist():
        name = dataset.names[row]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] <= CHOICES_PER_NAME:
            number, label = seen[name], name if seen[name] == 1 else f"{name} {seen[name]}"
            while label in rows:  # such as files "cat 2.jpg", "cat.jpg" and "cat.png"
                number += 1
                label = f"{name} {number}"
            rows[label] = row
    return rows
