"""Contents of the bundled data sets."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from cl_core.data.bundled import DATASETS, load_iris
from cl_core.data.dataset import group_representatives, image_choices, instance_rows, instances, training_rows
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.system.paths import ASSETS


@pytest.mark.parametrize(
    ("name", "count", "size", "classes", "train", "test"),
    [
        ("emoji", 3786, 64, 99, 3786, 0),
        ("fashion", 12_000, 28, 10, 10_000, 2_000),
        ("mnist", 10_000, 28, 10, 8_000, 2_000),
        ("digits", 1797, 8, 10, 1438, 359),
    ],
)
def test_contents(name: str, count: int, size: int, classes: int, train: int, test: int) -> None:
    data = load_dataset(name)
    assert data.images.shape == (count, 3, size, size)
    assert data.images.dtype == torch.uint8
    assert len(data.classes) == classes
    assert (len(data.train), len(data.test)) == (train, test)
    assert len(data.ids) == len(data.names) == len(data.labels) == len(data.groups) == count
    assert len(set(data.ids)) == count
    assert data.images.float().std() > 20


def test_emoji_ids_match_their_images() -> None:
    data = load_dataset("emoji")
    row = data.ids.index("1F600")
    assert data.names[row] == "grinning face"
    assert data.classes[int(data.labels[row])] == "face-smiling"
    middle = data.images[row, :, 10, 32].tolist()
    assert middle[0] > 200 > middle[2]  # yellow
    assert data.images[row, :, 0, 0].tolist() == [255, 255, 255]


def test_skin_tones_share_a_group() -> None:
    data = load_dataset("emoji")
    thumbs = [row for row, code in enumerate(data.ids) if code.startswith("1F44D")]
    assert len(thumbs) == 6
    assert data.groups[thumbs].unique().numel() == 1
    representatives = group_representatives(data)
    assert len(representatives) == 1911
    assert data.ids[int(representatives[data.groups[thumbs[0]]])] == "1F44D"


def test_fashion_is_balanced() -> None:
    data = load_dataset("fashion")
    assert data.labels[data.train].bincount().tolist() == [1000] * 10
    assert data.labels[data.test].bincount().tolist() == [200] * 10


def test_mnist_splits_and_labels() -> None:
    data = load_dataset("mnist")
    assert data.labels[data.test].bincount().tolist() == [200] * 10
    assert data.held_out.tolist() == data.test.tolist()
    ink = [data.images[data.labels == digit].float().mean().item() for digit in (0, 1)]
    assert ink[0] > 1.8 * ink[1]  # a zero has more ink than a one
    center = [data.images[data.labels == digit][:, 0, 13:15, 13:15].float().mean().item() for digit in (0, 1)]
    assert center[1] > 5 * center[0]  # and an empty center


def test_every_fifth_emoji_of_a_class_is_held_out() -> None:
    data = load_dataset("emoji")
    held = torch.isin(data.groups, data.groups[data.held_out])
    assert held.nonzero()[:, 0].tolist() == data.held_out.tolist()  # with all its skin tones
    representatives = group_representatives(data)
    per_class = data.labels[representatives].bincount(minlength=99)
    held_per_class = data.labels[representatives[torch.isin(representatives, data.held_out)]].bincount(minlength=99)
    assert torch.equal(held_per_class, per_class // 5)
    rows = training_rows(data, with_labels=True)
    assert not set(rows.tolist()) & set(data.held_out.tolist())
    assert len(training_rows(data, with_labels=False)) == 3786


def test_instances_are_numbered_groups() -> None:
    data = load_dataset("emoji")
    of_row, count = instances(data, with_labels=True)
    assert (of_row[data.held_out] == -1).all()
    rows = instance_rows(data, with_labels=True)
    assert len(rows) == count
    assert torch.equal(of_row[rows], torch.arange(count))
    thumbs = [row for row, code in enumerate(data.ids) if code.startswith("1F44D")]
    assert instances(data, with_labels=False)[0][thumbs].unique().numel() == 1


def test_iris_is_a_table() -> None:
    table = load_iris()
    assert table.values.shape == (150, 4)
    with pytest.raises(UserError, match="iris is a table"):
        load_dataset("iris")


def test_unknown_name_raises_user_error() -> None:
    with pytest.raises(UserError, match="no data set 'cats': choose one of emoji, fashion, mnist, digits"):
        load_dataset("cats")


@pytest.mark.parametrize("name", DATASETS)
def test_image_choices_are_distinct(name: str) -> None:
    rows = image_choices(load_dataset(name))
    assert len(set(rows.values())) == len(rows) >= 100


def test_bundled_data_is_small_and_licensed() -> None:
    files = [file for file in ASSETS.glob("*/*") if file.parent.name in ("emoji", "fashion")]
    assert sum(file.stat().st_size for file in files) <= 15_000_000
    for name in ("emoji", "fashion"):
        assert any(file.name.startswith("LICENSE") for file in (ASSETS / name).iterdir())


def test_names_that_end_in_a_number_are_choices_of_their_own() -> None:
    digits = load_dataset("digits")
    names = ["cat 2", "cat", "cat", "cat", "cat 2"]
    data = dataclasses.replace(
        digits,
        images=digits.images[:5],
        names=names,
        **{name: getattr(digits, name)[:5] for name in ("labels", "families", "groups")},
        **{name: torch.arange(5) for name in ("train", "shown")},
        **{name: torch.arange(0) for name in ("test", "held_out")},
    )
    assert image_choices(data) == {"cat 2": 0, "cat": 1, "cat 3": 2, "cat 4": 3, "cat 2 2": 4}
