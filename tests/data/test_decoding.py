"""Decoding of image files: colors, scaling, limits, and errors for unusable files."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.fuzz_images import GOOD, mutated, outcome, sound_files
from cl_core.data import decoding
from cl_core.data.decoding import MAX_SIDE, decode_image, find_images, is_animated, to_tensor
from cl_core.errors import UserError
from cl_core.text import using_language


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def half_and_half(width: int = 32, height: int = 32) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


def png(width: int, height: int, bits: int, color: int, pixels: bytes, animation: bytes = b"") -> bytes:
    """A PNG with the stated size; pixels: compressed; animation: chunks before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + animation
    return start + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width: int, height: int) -> bytes:
    """A PNG that states a large size but holds few pixels."""
    return png(width, height, 8, 2, zlib.compress(b"\0" * 100))


def large_png(side: int, bits: int, color: int, channels: int) -> bytes:
    """A large PNG of one color, compressed row by row to save memory."""
    packer = zlib.compressobj(1)
    row = b"\0" + bytes([117]) * (side * channels * bits // 8)
    return png(side, side, bits, color, b"".join(packer.compress(row) for _ in range(side)) + packer.flush())


def animated_png(side: int) -> bytes:
    """An animated PNG whose first frame is replaced by the background, which Pillow allocates on opening."""
    control = struct.pack(">IIIIIHHBB", 0, side, side, 0, 0, 1, 1, 1, 0)
    animation = png_chunk(b"acTL", struct.pack(">II", 2, 0)) + png_chunk(b"fcTL", control)
    return png(side, side, 8, 6, zlib.compress(b"\0" * 100), animation)


def directory(*tags: tuple[int, int, int, int]) -> bytes:
    """Header and first directory of a TIFF; tags: number, type, count and value."""
    entries = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + bytes(4)


def overlapping_tags(size: int, count: int) -> bytes:
    """A TIFF of `size` bytes and 16 x 16 pixels with many tags that each claim almost the whole file."""
    layout = [(256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, size - 300)]
    many = [(40_000 + i, 7, size - 8, 8) for i in range(count)]
    return directory(*layout, (277, 3, 1, 1), (278, 3, 1, 16), (279, 4, 1, 256), *many).ljust(size, b"\0")


def in_segments(exif: bytes) -> bytes:
    """A JPEG with EXIF data split over segments."""
    parts = [b"Exif\0\0" + exif[at : at + 65_000] for at in range(0, len(exif), 65_000)]
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in parts)
    raw = saved(half_and_half(), "JPEG")
    return raw[:2] + segments + raw[2:]


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


def left_and_right(image: Image.Image) -> tuple[tuple[int, ...], tuple[int, ...]]:
    values = np.asarray(image, dtype=int)
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


MEASURED = """
import json, os, signal, sys, threading
from pathlib import Path
from benchmarks.losses import peak_memory
from cl_core.data.decoding import decode_image
from cl_core.errors import UserError

def decode(file):
    try:
        decode_image(file)
    except UserError:
        pass

decode(Path(sys.argv[1]))  # imports of Pillow and numpy
before, rises = peak_memory(), {}
for file in map(Path, sys.argv[2:]):
    decode(file)
    rises[file.stem] = peak_memory() - before
threads = [threading.Thread(target=decode, args=[Path(sys.argv[2])]) for _ in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
rises["five at once"] = peak_memory() - before
child = os.fork()
if child == 0:
    signal.alarm(30)
    decode_image(Path(sys.argv[1]))
    os._exit(7)
print(json.dumps({"rises": rises, "child": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}))
"""


@pytest.mark.slow
def test_memory_is_bounded(tmp_path: Path) -> None:
    """Without bounds: 1.6 GB for 64 million pixels of 16 bits, 7.3 GB for five at once, 0.8 GB for 2 MB of overlapping tags.

    A forked child process, which does not inherit the decoder thread, decodes too.
    """
    files = {
        "small": saved(half_and_half(), "PNG"),
        "16 bits": large_png(8000, 16, 0, 1),
        "RGBA": large_png(8000, 8, 6, 4),
        "animated": animated_png(20_000),
        "tags": overlapping_tags(1_000_000, 400),
        "EXIF": in_segments(overlapping_tags(1_000_000, 400)),
    }
    for name, raw in files.items():
        (tmp_path / f"{name}.png").write_bytes(raw)
    command = [sys.executable, "-c", MEASURED, *(str(tmp_path / f"{name}.png") for name in files)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = json.loads(run.stdout)
    assert {name: rise for name, rise in found["rises"].items() if not 0 < rise < 300e6} == {}
    assert found["rises"]["16 bits"] < 200e6
    assert found["child"] == 7


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


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    raw = saved(Image.new("L", (64, 64), 100), "JPEG", progressive=True)
    return raw[:-2] + raw[raw.rindex(b"\xff\xda") : -2] * count + raw[-2:]


def in_runs(width: int, height: int, runs: bytes) -> bytes:
    """A run-length encoded BMP."""
    head = struct.pack("<2sLHHL", b"BM", 1078 + len(runs), 0, 0, 1078)
    return head + struct.pack("<LllHHLLllLL", 40, width, height, 1, 8, 1, len(runs), 0, 0, 0, 0) + bytes(1024) + runs


def tiled(*sides: int) -> bytes:
    """A TIFF of 16 x 16 pixels in one compressed tile with the stated sides."""
    layout = [(256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    tiles = [(tag, 4, 1, side) for side in sides for tag in (322, 323)]
    pixels = zlib.compress(bytes(1000))
    return directory(*layout, *tiles, (324, 4, 1, 300), (325, 4, 1, len(pixels))).ljust(300, b"\0") + pixels


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (saved(Image.new("RGB", (6000, 6000)), "WEBP", lossless=True, method=0), "takes 720 MB of memory to decode"),
        (in_runs(2_000_000, 8, b"\0\2\0\xff\0\1"), "MB of memory to decode"),
        (tiled(40_000), "takes 1,600 MB of memory to decode"),
        (tiled(40_000, 16), "a tag occurs twice"),
        (many_scans(60), "is a JPEG of 66 scans, and at most 50 are read"),
    ],
    ids=["WebP", "BMP that jumps", "TIFF's tile", "TIFF's tile twice", "JPEG's scans"],
)
def test_costly_files_raise_user_error(raw: bytes, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        decode_image(raw)


def test_slow_file_raises_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow concatenates the parts of a GIF comment one by one, in quadratic time."""
    raw = saved(half_and_half().convert("P"), "GIF")
    frame = raw.index(b",\0\0\0\0")
    slow = raw[:frame] + b"!\xfe" + (b"\xff" + b"a" * 255) * 20_000 + b"\0" + raw[frame:]
    monkeypatch.setattr(decoding, "MAX_SECONDS", 0.05)
    with pytest.raises(UserError, match="decoding takes more than"):
        decode_image(slow)


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
