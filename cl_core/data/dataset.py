"""What a data set is: images with labels, groups and parts, and the rows that training, search and maps take of it."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

PICKS_PER_NAME = 10
MOST_PICKS = 2_000  # choices a menu stays quick with
SEARCHED_WHOLE = 20_000  # images; of larger sets with a test part that part is what people search in


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Named images with labels.

    title: what to call them where figures are printed.
    images: (N, 3, H, W) uint8; gray images repeat their channel.
    labels: (N,) int64, index into `classes`; -1 where there is none.
    families: (N,) int64, index into `family_names`: coarser labels, few enough to have a color each.
    groups: (N,) int64, 0 to G - 1, none empty; images of one group show the same thing (an emoji in its skin tones), and
        neither count as each other's neighbor nor meet as negatives.
    train, test: int64 indices. Where there is no test part, an image is tested against all others.
    held_out: int64 indices of images whose labels no training sees; the test part, where there is one.
    shown: int64 indices of the images that maps and galleries show.
    ids, names: one an image.
    digest: changes where images of the same name do; empty for those that come with the project.
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

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return int(self.images.shape[-1])

    @property
    def labeled(self) -> bool:
        """Whether there are classes to tell apart."""
        return len(self.classes) > 1 and bool((self.labels >= 0).any())

    def label_name(self, row: int) -> str:
        """The class of an image, empty where it has none."""
        label = int(self.labels[row])
        return self.classes[label] if label >= 0 else ""


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of numbers with labels: values (N, D) float32, labels (N,) int64."""

    name: str
    values: Tensor
    labels: Tensor
    classes: list[str]
    columns: list[str]
    license: str


def every_fifth_group(labels: Tensor, groups: Tensor) -> Tensor:
    """Rows of the fifth, tenth, ... group of each label: some of every label that has five."""
    count = int(groups.max()) + 1
    label_of = torch.zeros(count, dtype=torch.long).scatter_(0, groups, labels)
    chosen = torch.zeros(count, dtype=torch.bool)
    for label in label_of.unique():
        chosen[(label_of == label).nonzero()[4::5, 0]] = True
    return chosen[groups].nonzero()[:, 0]


def training_rows(dataset: Dataset, with_labels: bool) -> Tensor:
    """Rows a training may use: all of `train`; where labels are read, those that have one and are not `held_out`; int64."""
    if not with_labels:
        return dataset.train
    usable = ~torch.isin(dataset.train, dataset.held_out) & (dataset.labels[dataset.train] >= 0)
    return dataset.train[usable]


def instances(dataset: Dataset, with_labels: bool) -> tuple[Tensor, int]:
    """The instance (group of images) that each row shows to a training, (N,) int64, and how many there are.

    Rows the training does not use are -1.
    """
    rows = training_rows(dataset, with_labels)
    distinct, instance = dataset.groups[rows].unique(return_inverse=True)
    return torch.full((len(dataset),), -1).scatter_(0, rows, instance), len(distinct)


def instance_rows(dataset: Dataset, with_labels: bool) -> Tensor:
    """The first image of each instance, (I,) int64."""
    of_row, count = instances(dataset, with_labels)
    used = (of_row >= 0).nonzero()[:, 0]
    return torch.full((count,), len(dataset)).scatter_reduce(0, of_row[used], used, "amin")


def searched_rows(dataset: Dataset) -> Tensor:
    """The images a gallery holds, (G,) int64, ascending: all; of a large data set with a test part, those that are shown."""
    whole = len(dataset) <= SEARCHED_WHOLE or len(dataset.test) == 0
    return torch.arange(len(dataset)) if whole else dataset.shown.sort().values


def group_representatives(dataset: Dataset) -> Tensor:
    """The first image of each group, (G,) int64 by group: for emoji, each without its skin-tone variants."""
    first = torch.full((int(dataset.groups.max()) + 1,), len(dataset))
    return first.scatter_reduce(0, dataset.groups, torch.arange(len(dataset)), "amin")


def image_choices(dataset: Dataset) -> dict[str, int]:
    """Images to pick from by name: one a group, or the first ten of a name that many share; at most `MOST_PICKS`."""
    seen: dict[str, int] = {}
    rows: dict[str, int] = {}
    choices = group_representatives(dataset)
    if len(choices) > MOST_PICKS:  # some of every part: rows often stand class by class
        choices = choices[torch.linspace(0, len(choices) - 1, MOST_PICKS).long()]
    for row in choices.tolist():
        name = dataset.names[row]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] <= PICKS_PER_NAME:
            rows[name if seen[name] == 1 else f"{name} {seen[name]}"] = row
    return rows
