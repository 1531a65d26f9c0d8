"""What a data set contains."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from cl_core.data.registry import load_dataset
from cl_core.ui.tabs import dataset_view
from tests.ui.own_images import store


@pytest.fixture(autouse=True)
def empty_cache(own_cache: Path) -> None:
    pass


def test_what_a_data_set_contains() -> None:
    store("mine", [0, 1, 0, 1, -1, 0, 0, 0], train=6)
    data = load_dataset("mine")
    said = dataset_view.facts(data)
    for part in (
        "Title of mine",
        "8 images of 32 px",
        "6 to train, 2 to test",
        "Classes: 2",
        "without a class: 1",
        "such as b: 1",
        "mine",
    ):
        assert part in said, said
    rows = dataset_view.samples(data)
    assert [(row["title"], len(row["items"])) for row in rows] == [("a", 5), ("b", 2)]
    (leaks, within) = dataset_view.copies(data)
    assert leaks["title"] == "In both train and test: 1" and [item["caption"] for item in leaks["items"]] == [
        "image 0",
        "image 7",
    ]
    assert within["title"] == "Near-duplicates: 1"


def test_images_without_classes() -> None:
    store("flat", [-1] * 5, classes=[])
    data = load_dataset("flat")
    assert "needs no labels" in dataset_view.facts(data) and "Classes" not in dataset_view.facts(data)
    assert [row["title"] for row in dataset_view.samples(data)] == ["Some of the images"]
    assert dataset_view.copies(data) == []


def test_copies_within_a_group_are_not_counted() -> None:
    data = load_dataset("emoji")
    within, across = dataset_view._find(data)
    found = (within >= 0).nonzero()[:, 0]
    assert (data.groups[found] != data.groups[within[found]]).all() and not (across >= 0).any()


def test_copies_in_the_test_split_are_found_wherever_it_lies() -> None:
    """Every fifth image of digits is a test image, so the rows of the training images are not the first ones."""
    digits = load_dataset("digits")
    pixels = digits.images.clone()
    test, train = int(digits.test[3]), int(digits.train[-1])
    pixels[test] = pixels[train]
    _, across = dataset_view._find(dataclasses.replace(digits, images=pixels))
    assert across[test] == train
    assert not (across[digits.train] >= 0).any()
    assert torch.isin(across[across >= 0], digits.train).all()
