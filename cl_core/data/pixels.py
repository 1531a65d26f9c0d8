"""8-bit RGB images from any image that Pillow has loaded, tile by tile, so that no second full-size copy is made."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cl_core.data.image_limits import pillow_errors

TILE_SIDE = 256  # pixels, about: a tile fits in the CPU cache while it is converted


def scaled(image: Image.Image, name: str, most: int) -> Image.Image:
    """Convert a loaded image to RGB on white and scale its longer side to at most `most`.

    Conversion and reduction go tile by tile, so that no second full-size copy is made.
    """
    ratio = min(1.0, most / max(image.size))
    width, height = (max(1, round(side * ratio)) for side in image.size)
    step = max(1, image.width // (2 * width)), max(1, image.height // (2 * height))  # the remaining factor is interpolated
    white = _white_point(image) if image.mode.startswith(("I", "F")) else 0.0
    reduced = Image.new("RGB", (-(-image.width // step[0]), -(-image.height // step[1])))
    for box in _boxes(image, step):
        tile = image.crop(box)
        if white:
            tile = _to_8_bit(tile, white)
        with pillow_errors(name):  # palette and transparency of the file may be invalid
            tile = _on_white(tile)
        reduced.paste(tile.reduce(step), (box[0] // step[0], box[1] // step[1]))
    exact = (0, 0, image.width / step[0], image.height / step[1])
    return reduced.resize((width, height), Image.Resampling.BILINEAR, box=exact)


def to_tensor(image: Image.Image, size: int) -> Tensor:
    """Center an RGB image on a white square and resize it: (1, 3, size, size) uint8."""
    side = max(image.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    if side != size:
        square = square.resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].contiguous()


def _on_white(image: Image.Image) -> Image.Image:
    """Convert to L or RGB; transparent pixels become white."""
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image if image.mode in ("L", "RGB") else image.convert("RGB")  # grayscale is converted after downscaling


def _boxes(image: Image.Image, step: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of about `TILE_SIDE`**2 pixels that cover an image; except at the edges their sides are multiples of `step`."""
    side = 8 * TILE_SIDE if image.mode == "LAB" else TILE_SIDE  # conversion of LAB has a high fixed cost
    width, height = image.size
    down = side**2 // min(side, width)  # long boxes for narrow images
    across = side**2 // min(down, height)
    across, down = (each * max(1, size // each) for size, each in zip((across, down), step, strict=True))
    for y in range(0, height, down):
        for x in range(0, width, across):
            yield x, y, min(x + across, width), min(y + down, height)


def _white_point(image: Image.Image) -> float:
    """Value that maps to white in a 16-bit or float image: 255, 65,535 or the maximum."""
    top = 0.0
    for box in _boxes(image, (1, 1)):
        values = np.asarray(image.crop(box))
        top = max(top, float(values.max(where=np.isfinite(values), initial=0)))
    return 255.0 if top <= 255 else 65535.0 if top <= 65535 else top


def _to_8_bit(image: Image.Image, white: float) -> Image.Image:
    """Scale a 16-bit or float image to 8 bits without clipping; NaN becomes black."""
    values = np.asarray(image, dtype=np.float64)
    if image.mode == "F":
        values = np.nan_to_num(values, posinf=white)
    return Image.fromarray((values.clip(0) * (255 / white)).round().astype(np.uint8))
