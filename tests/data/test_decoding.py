"""Decoding of image files: colors, orientation, and errors for unusable files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.fuzz_images import GOOD, mutated, outcome, sound_files
from cl_core.data.decoding import decode_image, find_images, is_animated
from cl_core.errors import UserError
from cl_core.text import using_language
from tests.data.image_files import (
    close,
    directory,
    half_and_half,
    huge_png,
    left_and_right,
    saved,
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "is empty"),
        (b"just some text, not an image", "is not an image"),
        (saved(Image.effect_noise((64, 64), 80), "PNG")[:900], "cut off or damaged"),
        (saved(half_and_half(200, 200), "JPEG")[:900], "cut off or damaged"),
        (saved(Image.new("RGB", (1, 1)), "PNG"), "at least 8 x 8"),
        (huge_png(30_000, 30_000), "more than 64 million pixels"),
    ],
    ids=["empty", "text", "cut PNG", "cut JPEG", "1x1", "30,000x30,000"],
)
def test_unusable_files_raise_user_error(tmp_path: Path, raw: bytes, expected: str) -> None:
    file = tmp_path / "query.png"
    file.write_bytes(raw)
    with pytest.raises(UserError, match=r"query\.png") as caught:
        decode_image(file)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_raises_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        decode_image(tmp_path / "nowhere.png")


def test_messages_are_in_the_language_in_effect() -> None:
    """Although they are made in the decoder thread."""
    cut = saved(Image.effect_noise((64, 64), 80), "PNG")[:900]
    with using_language("zh"):
        with pytest.raises(UserError) as empty:
            decode_image(b"")
        with pytest.raises(UserError) as damaged:
            decode_image(cut)
        assert str(empty.value) == "该图片 是空文件；请选择包含图片的文件。"
        assert str(damaged.value).startswith("无法读取 该图片（")


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
def test_colors_of_each_format(raw: bytes) -> None:
    image = decode_image(raw)
    assert image.mode == "RGB"
    left, right = left_and_right(image)
    assert close(left, (255, 0, 0))
    assert close(right, (0, 0, 255))


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # display rotated by 90 degrees clockwise
    raw = saved(half_and_half(64, 32), "JPEG", exif=exif.tobytes(), quality=95)
    image = decode_image(raw)
    assert image.size == (32, 64)
    assert close(tuple(np.asarray(image)[4, 16].tolist()), (255, 0, 0))
    assert close(tuple(np.asarray(image)[-4, 16].tolist()), (0, 0, 255))


def test_is_animated(tmp_path: Path) -> None:
    still, moving = tmp_path / "still.gif", tmp_path / "moving.gif"
    still.write_bytes(saved(half_and_half(), "GIF"))
    moving.write_bytes(saved(half_and_half(), "GIF", save_all=True, append_images=[Image.new("RGB", (32, 32))]))
    assert not is_animated(still)
    assert is_animated(moving)


def test_folder_without_images_raises_user_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(UserError, match="holds no image"):
        find_images(tmp_path)


@pytest.mark.parametrize("format", ["AVIF", "DDS", "EPS", "ICO", "JPEG2000", "PPM", "QOI", "TGA"])
def test_unsupported_formats_raise_user_error(tmp_path: Path, format: str) -> None:
    file = tmp_path / "query.png"
    file.write_bytes(saved(half_and_half(), format))
    for function in (decode_image, is_animated):
        with pytest.raises(UserError, match=r"query\.png is not an image; PNG, JPEG, WebP, GIF, BMP and TIFF files are read\."):
            function(file)


def test_images_of_phones() -> None:
    """50 million pixels, and two images in a file (MPO)."""
    assert decode_image(saved(Image.new("RGB", (8160, 6120), "red"), "JPEG")).size == (512, 384)
    pair = saved(half_and_half(), "MPO", save_all=True, append_images=[Image.new("RGB", (32, 32))])
    assert close(left_and_right(decode_image(pair))[0], (255, 0, 0))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0no TIFF at all",
        b"Exif\0\0" + directory((274, 3, 1, 6))[:20],
        b"Exif\0\0" + directory((274, 2, 4, 0x41414141)),
        b"Exif\0\0" + directory((274, 7, 2, 6), (305, 5, 1, 4), (34665, 2, 4, 9)),
    ],
    ids=["no TIFF", "cut off", "text", "other types"],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_exif_is_ignored(format: str, exif: bytes) -> None:
    raw = saved(half_and_half(64, 32), format, exif=exif, quality=95)
    assert exif[6:14] in raw
    left, right = left_and_right(decode_image(raw))
    assert close(left, (255, 0, 0))
    assert close(right, (0, 0, 255))


def test_is_animated_of_damaged_files(tmp_path: Path) -> None:
    file = tmp_path / "query.gif"
    file.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"query\.gif is not an image"):
        is_animated(file)
    frames = [half_and_half().convert("P"), Image.new("P", (32, 32), 5)]
    raw = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    second = raw.rindex(b",\0\0\0\0")
    file.write_bytes(raw[: second + 4])
    assert close(left_and_right(decode_image(file))[0], (255, 0, 0))
    assert not is_animated(file)


def test_long_name_is_shortened_in_messages(tmp_path: Path) -> None:
    file = tmp_path / f"a\nb{'c' * 200}.png"
    with pytest.raises(UserError, match="There is no file") as caught:
        decode_image(file)
    assert len(str(caught.value)) < 140
    file.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"^a bc+…c+\.png is not an image; ") as caught:
        decode_image(file)
    assert len(str(caught.value).partition(" is not an image")[0]) == 80


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_random_damage_raises_user_errors_only() -> None:
    """A subset of `benchmarks.fuzz_images`."""
    files = sound_files()
    assert {name for name, raw in files.items() if outcome(raw).kind != "read"} == {
        f"{format} RGB" for format in ("AVIF", "DDS", "EPS", "ICO", "JPEG2000", "PCX", "PPM", "QOI", "SGI", "TGA")
    }
    found = [outcome(mutated(files, 0, number)[1]) for number in range(1500)]
    assert [(number, each) for number, each in enumerate(found) if each.kind not in GOOD] == []
    sentences = [each.sentence for each in found if each.kind == "refused"]
    assert all("\n" not in each and len(each) < 200 and each.endswith(".") for each in sentences)
    assert len(sentences) < 0.9 * len(found)
