"""Images without their white or black background, as drawings and products have."""

from __future__ import annotations

import numpy as np
from PIL import Image
from torch import Tensor

NEAR = 10  # values, of 255, by which a pixel of the ground may differ from it
FADES = 64  # values from the ground at which a pixel at the edge is opaque
MIN_CORNERS = 0.9  # of the corners of a data set's images that must be one color

CHUNK = 256  # images at a time
# Pixels of one image are neighbors, those of the next are not.
WITHIN = np.zeros((3, 3, 3), bool)
WITHIN[1] = [[False, True, False], [True, True, True], [False, True, False]]

Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def ground(images: Tensor) -> int | None:
    """The color on which images (N, 3, H, W) uint8 stand: 255 for white, 0 for black, None for photographs."""
    corners = images[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].short()
    for color in (255, 0):
        if float(((corners - color).abs() <= NEAR).all(1).float().mean()) >= MIN_CORNERS:
            return color
    return None


def cut_out(images: Tensor, color: int) -> list[Image.Image]:
    """Images (N, 3, H, W) uint8 as RGBA; the ground that touches their edge is transparent, and what it encloses is not."""
    return [Image.fromarray(each) for part in images.split(CHUNK) for each in _cut_out(part, color)]


def _cut_out(images: Tensor, color: int) -> Bytes:
    from scipy import ndimage

    pixels: Bytes = images.permute(0, 2, 3, 1).contiguous().numpy()
    distance = np.abs(pixels.astype(np.int16) - color).max(3)
    labels, count = ndimage.label(distance <= NEAR, structure=WITHIN)
    is_outside = np.zeros(count + 1, bool)
    for edge in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        is_outside[edge] = True
    is_outside[0] = False
    outside = is_outside[labels]
    rim = ndimage.binary_dilation(outside, structure=WITHIN, iterations=2) & ~outside
    alpha = np.where(outside, 0, 255).astype(np.uint8)
    cut = np.concatenate([pixels, alpha[..., None]], axis=3)
    # At the edge the ground shines through: take its part out of the color.
    share = np.clip(distance[rim] / FADES, 1 / 255, 1)[:, None]
    colors = np.clip((pixels[rim] - (1 - share) * color) / share, 0, 255)
    cut[rim] = np.concatenate([colors, 255 * share], axis=1).round()
    return cut


def scaled(image: Image.Image, side: int) -> Image.Image:
    """An RGBA image in another size; transparent pixels do not darken their neighbors."""
    return image if image.width == side else image.convert("RGBa").resize((side, side), Image.Resampling.BOX).convert("RGBA")
