"""Conversion to 8-bit RGB: white points, transparency and scaling by tiles."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cl_core.data.decoding import MAX_SIDE, decode_image
from cl_core.data.pixels import to_tensor
from tests.data.image_files import (
    half_and_half,
    saved,
)


def test_16_bit_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16)
    image = decode_image(saved(Image.fromarray(ramp), "PNG"))
    values = np.asarray(image)[:, :, 0].astype(int).ravel()
    assert values[0] == 0
    assert values[-1] == 255
    assert abs(values[512] - 127) <= 2


def test_transparency_is_white() -> None:
    clear = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    assert np.asarray(decode_image(saved(clear, "PNG"))).min() == 255
    palette = Image.new("P", (16, 16), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert np.asarray(decode_image(saved(palette, "PNG", transparency=0))).min() == 255


def test_large_images_are_scaled_down() -> None:
    image = decode_image(saved(half_and_half(3000, 1500), "JPEG"))
    assert max(image.size) == MAX_SIDE
    assert image.size[0] == 2 * image.size[1]


def test_to_tensor_pads_with_white() -> None:
    pixels = to_tensor(half_and_half(40, 20), 40)
    assert pixels.shape == (1, 3, 40, 40)
    assert pixels[0, :, 2, :].min() == 255
    assert pixels[0, :, 20, 3].tolist() == [255, 0, 0]


@pytest.mark.parametrize("size", [(512, 300), (1001, 777), (2050, 1303), (90, 3001)])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "CMYK"])
def test_scaling_by_tiles_equals_pillow(mode: str, size: tuple[int, int]) -> None:
    """Compared with scaling the whole image on white by Pillow."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1] // 9, size[0] // 9, 4), dtype=np.uint8)
    image = Image.fromarray(noise).resize(size)
    image = image.convert("RGB").convert(mode) if mode in ("P", "CMYK") else image.convert(mode)
    whole = image.convert("RGB")
    if mode.endswith("A"):
        whole = Image.alpha_composite(Image.new("RGBA", size, "white"), image.convert("RGBA")).convert("RGB")
    whole.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BILINEAR)
    decoded = decode_image(saved(image, "TIFF" if mode == "CMYK" else "PNG"))
    assert np.array_equal(np.asarray(decoded), np.asarray(whole))


def test_white_point_of_the_whole_image() -> None:
    """The brightest pixel, in the last tile, sets the white point of all tiles."""
    values = np.full((600, 600), 1000.0, dtype=np.float32)
    values[-8:, -8:] = 100_000
    values[0, 0] = np.nan
    shown = np.asarray(decode_image(saved(Image.fromarray(values), "TIFF")))
    assert (shown[256, 256] == round(1000 * 255 / 100_000)).all()
    assert (shown[-1, -1] == 255).all()
