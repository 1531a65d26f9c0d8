"""The parts of a data set that a search can be limited to."""

from __future__ import annotations

import dataclasses

import torch

from cl_core.data.registry import load_dataset
from cl_core.explore.filters import parts_of, rows_among

EMOJI, DIGITS = load_dataset("emoji"), load_dataset("digits")


def test_families_come_first_where_they_differ_from_the_classes() -> None:
    parts = parts_of(EMOJI)
    kinds = [part.kind for part in parts]
    assert kinds == sorted(kinds, reverse=True) and kinds.count("family") == len(EMOJI.family_names)
    assert all(part.images for part in parts)
    assert sum(part.images for part in parts if part.kind == "family") == len(EMOJI)
    assert {part.kind for part in parts_of(DIGITS)} == {"class"}


def test_chosen_parts_are_joined() -> None:
    assert rows_among(DIGITS, []) is None
    mask = rows_among(DIGITS, ["class-3", "class-7"])
    assert mask is not None
    assert torch.equal(mask, (DIGITS.labels == 3) | (DIGITS.labels == 7))
    both = rows_among(EMOJI, ["family-0", "class-50"])
    assert both is not None
    assert torch.equal(both, (EMOJI.families == 0) | (EMOJI.labels == 50))


def test_parts_of_another_data_set_are_ignored() -> None:
    assert rows_among(DIGITS, ["family-2", "class-99999", "nonsense"]) is None


def test_images_without_labels_have_no_parts() -> None:
    nothing = torch.full_like(DIGITS.labels, -1)
    bare = dataclasses.replace(DIGITS, labels=nothing, families=nothing, classes=[], family_names=[])
    assert parts_of(bare) == []
