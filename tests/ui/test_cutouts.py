"""Images without their ground."""

from __future__ import annotations

import numpy as np
import torch

from cl_core.data.registry import load_dataset
from cl_core.ui.cutouts import cut_out, ground, scaled


def ring(size: int = 16) -> torch.Tensor:
    """A red ring on white: what it encloses is white, too."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    distance = ((x - size / 2 + 0.5) ** 2 + (y - size / 2 + 0.5) ** 2).sqrt()
    on = (distance > 3) & (distance < 6)
    image = torch.full((3, size, size), 255, dtype=torch.uint8)
    image[1:, on] = 0
    return image


def test_the_ground_of_the_bundled_images() -> None:
    for name, color in (("emoji", 255), ("fashion", 0), ("digits", 0)):
        data = load_dataset(name)
        assert ground(data.images[data.on_map]) == color
    assert ground(torch.randint(40, 200, (20, 3, 8, 8), dtype=torch.uint8)) is None


def test_only_what_touches_the_edge_becomes_transparent() -> None:
    image = ring()
    cut, beside = (np.asarray(each) for each in cut_out(torch.stack([image, image]), 255))
    assert np.array_equal(cut, beside), "images of one batch do not see each other"
    assert cut.shape == (16, 16, 4)
    assert (cut[0] == [255, 255, 255, 0]).all()
    assert (cut[8, 8] == 255).all(), "the middle is enclosed"
    assert cut[8, 3].tolist() == [255, 0, 0, 255]


def test_over_the_same_ground_the_image_is_as_before() -> None:
    data = load_dataset("emoji")
    images = data.images[data.on_map[::40]]
    for image, cut in zip(images, cut_out(images, 255), strict=True):
        rgba = np.asarray(cut).astype(float)
        alpha = rgba[..., 3:] / 255
        back = rgba[..., :3] * alpha + 255 * (1 - alpha)
        assert np.abs(back - image.permute(1, 2, 0).numpy()).max() <= 12


def test_smaller_images_have_no_dark_rim() -> None:
    (cut,) = cut_out(ring(64)[None], 255)
    small = np.asarray(scaled(cut, 20)).astype(int)
    drawn = small[small[..., 3] > 20]
    assert (drawn[:, 0] > 240).all(), "red and white only"
