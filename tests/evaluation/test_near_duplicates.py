"""Copies among images."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from cl_core.data.registry import load_dataset
from cl_core.evaluation.near_duplicates import find_copies


def through(image: torch.Tensor, kind: str, side: int, **options: object) -> torch.Tensor:
    """An image (3, H, W) saved at another size in another format, and scaled back."""
    buffer = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).resize((side, side)).save(buffer, kind, **options)
    back = Image.open(buffer).convert("RGB").resize((image.shape[-1],) * 2)
    return torch.from_numpy(np.array(back)).permute(2, 0, 1)


@pytest.fixture(scope="module")
def fashion() -> torch.Tensor:
    return load_dataset("fashion").images[::60]


@pytest.mark.parametrize(
    ("kind", "side", "options"), [("JPEG", 28, {"quality": 75}), ("PNG", 56, {}), ("WEBP", 28, {"quality": 80}), ("GIF", 56, {})]
)
def test_copies_are_found(fashion: torch.Tensor, kind: str, side: int, options: dict[str, object]) -> None:
    chosen = torch.arange(0, len(fashion), 10)
    copied = torch.stack([through(image, kind, side, **options) for image in fashion[chosen]])
    found = find_copies(torch.cat([fashion, copied]))
    assert (found[: len(fashion)] >= 0).sum() <= 1, "different images are no copies"
    assert (found[len(fashion) :] == chosen).float().mean() >= 0.95


def test_drawings_that_differ_in_a_detail_are_no_copies() -> None:
    data = load_dataset("emoji")
    faces = [row for row, name in enumerate(data.names) if "face" in name]
    found = find_copies(data.images[faces])
    assert (found >= 0).sum() <= 2


def test_candidates_are_earlier_images_of_the_first_part(fashion: torch.Tensor) -> None:
    images = torch.cat([fashion[:5], fashion[5:9], fashion[5:6], fashion[2:3]])
    assert find_copies(images).tolist() == [-1] * 9 + [5, 2]
    assert find_copies(images, 5).tolist() == [-1] * 10 + [2]


def test_the_result_does_not_depend_on_the_chunks(fashion: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.cat([fashion, fashion[::7]])
    whole = find_copies(images)
    monkeypatch.setattr("cl_core.evaluation.near_duplicates.CHUNK", 13)
    assert torch.equal(find_copies(images), whole)


def test_too_few_images_and_images_of_one_color() -> None:
    assert find_copies(torch.zeros(0, 3, 8, 8, dtype=torch.uint8)).tolist() == []
    assert find_copies(torch.full((3, 3, 8, 8), 7, dtype=torch.uint8)).tolist() == [-1, -1, -1]
