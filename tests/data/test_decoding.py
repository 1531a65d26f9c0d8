"""The one door for pictures: what is usable is read, what is not gets a sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cl_core.data.decoding import MAX_SIDE, decode_picture, find_pictures, is_animated, to_tensor
from cl_core.errors import UserError


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def half_and_half(width: int = 32, height: int = 32) -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste("blue", (width // 2, 0, width, height))
    return picture


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose header claims the size; its pixels are never reached."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "is empty"),
        (b"just some text, not a picture", "is not a picture"),
        (saved(Image.effect_noise((64, 64), 80), "PNG")[:900], "cut off or damaged"),
        (saved(half_and_half(200, 200), "JPEG")[:900], "cut off or damaged"),
        (saved(Image.new("RGB", (1, 1)), "PNG"), "at least 8 x 8"),
        (huge_png(30_000, 30_000), "more than 64 million pixels"),
    ],
    ids=["empty", "text", "cut PNG", "cut JPEG", "1x1", "30,000x30,000"],
)
def test_unusable_files_get_a_sentence(tmp_path: Path, raw: bytes, expected: str) -> None:
    file = tmp_path / "query.png"
    file.write_bytes(raw)
    with pytest.raises(UserError, match=r"query\.png") as caught:
        decode_picture(file)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        decode_picture(tmp_path / "nowhere.png")


def left_and_right(picture: Image.Image) -> tuple[tuple[int, ...], tuple[int, ...]]:
    values = np.asarray(picture, dtype=int)
    middle = values.shape[0] // 2
    return tuple(values[middle, 2].tolist()), tuple(values[middle, -3].tolist())


def close(a: tuple[int, ...], b: tuple[int, ...], tolerance: int = 40) -> bool:
    return all(abs(x - y) <= tolerance for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    "raw",
    [
        saved(half_and_half(), "PNG"),
        saved(half_and_half().convert("P", palette=Image.Palette.ADAPTIVE), "GIF"),
        saved(half_and_half().convert("CMYK"), "JPEG", quality=95),
        saved(half_and_half(), "WEBP", lossless=True),
        saved(half_and_half(), "GIF", save_all=True, append_images=[Image.new("RGB", (32, 32), "green")]),
        saved(half_and_half().convert("RGBA"), "PNG"),
    ],
    ids=["RGB", "palette", "CMYK", "WebP", "animated", "RGBA"],
)
def test_usable_files_show_their_colours(raw: bytes) -> None:
    picture = decode_picture(raw)
    assert picture.mode == "RGB"
    left, right = left_and_right(picture)
    assert close(left, (255, 0, 0))
    assert close(right, (0, 0, 255))


def test_camera_rotation_is_undone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    raw = saved(half_and_half(64, 32), "JPEG", exif=exif.tobytes(), quality=95)
    picture = decode_picture(raw)
    assert picture.size == (32, 64)
    assert close(tuple(np.asarray(picture)[4, 16].tolist()), (255, 0, 0))
    assert close(tuple(np.asarray(picture)[-4, 16].tolist()), (0, 0, 255))


def test_16_bit_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16)
    picture = decode_picture(saved(Image.fromarray(ramp), "PNG"))
    values = np.asarray(picture)[:, :, 0].astype(int).ravel()
    assert values[0] == 0
    assert values[-1] == 255
    assert abs(values[512] - 127) <= 2


def test_transparency_is_white() -> None:
    clear = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    assert np.asarray(decode_picture(saved(clear, "PNG"))).min() == 255
    palette = Image.new("P", (16, 16), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert np.asarray(decode_picture(saved(palette, "PNG", transparency=0))).min() == 255


def test_large_pictures_are_scaled_down() -> None:
    picture = decode_picture(saved(half_and_half(3000, 1500), "JPEG"))
    assert max(picture.size) == MAX_SIDE
    assert picture.size[0] == 2 * picture.size[1]


def test_to_tensor_pads_with_white() -> None:
    pixels = to_tensor(half_and_half(40, 20), 40)
    assert pixels.shape == (1, 3, 40, 40)
    assert pixels[0, :, 2, :].min() == 255
    assert pixels[0, :, 20, 3].tolist() == [255, 0, 0]


def test_is_animated(tmp_path: Path) -> None:
    still, moving = tmp_path / "still.gif", tmp_path / "moving.gif"
    still.write_bytes(saved(half_and_half(), "GIF"))
    moving.write_bytes(saved(half_and_half(), "GIF", save_all=True, append_images=[Image.new("RGB", (32, 32))]))
    assert not is_animated(still)
    assert is_animated(moving)


def test_a_folder_without_pictures_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(UserError, match="holds no picture"):
        find_pictures(tmp_path)
