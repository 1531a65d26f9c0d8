"""Decode untrusted image files with bounded memory and time.

All uploads and all files named by a user are decoded here.
"""

from __future__ import annotations

import functools
import io
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from PIL import ExifTags, Image, ImageFile, ImageOps, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError
from torch import Tensor

from cl_core.errors import UserError, quoted
from cl_core.text import text

MAX_PIXELS = 64_000_000
MAX_BYTES = 50_000_000
MAX_MEMORY = 512 * 2**20  # bytes to decode one image; enough for MAX_PIXELS as PNG or JPEG in any mode (up to 8.3 bytes a pixel)
MAX_SECONDS = 10.0  # of CPU time to decode one image; ten times what MAX_PIXELS take
MAX_SCANS = 50  # of a progressive JPEG; encoders write about 10, and decoding each one visits all pixels
MAX_EXIF = 65_536  # bytes; the size of a JPEG segment, cameras write one
MIN_SIDE = 8
MAX_SIDE = 512  # pixels; larger images are scaled down, encoders use at most 224
TILE_SIDE = 256  # pixels, about: a tile fits in the CPU cache while it is converted
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")  # MPO, which phones write, is opened as JPEG

# Pillow's own limit, for images opened elsewhere in the process, such as by Gradio.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

# Pillow's warnings about irregular files are not actionable.
warnings.filterwarnings("ignore", module=r"PIL\.")

_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # 4 in all other modes
_PNG_START = b"\x89PNG\r\n\x1a\n"
_EXIF_MARK = b"Exif\0\0"
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")  # markers followed by a length
_LAYOUT_TAGS = (256, 257, 258, 259, 277, 278, 284, 322, 323)  # of a TIFF: sizes, bits, samples, strips and tiles

R = TypeVar("R")
_decoder: ThreadPoolExecutor


class DamagedError(OSError):
    """Damage found by this package, not by a library; `reason` is a text in both languages."""

    def __init__(self, reason: UserError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _BoundedReader(io.BytesIO):
    """A file's bytes; raises an error once a reader reads too much or takes too long.

    Each tag of a TIFF may claim the whole file, and Pillow parses some parts of a file in Python: without a bound a file of
    5 MB can take gigabytes and minutes.
    """

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._left = 6 * len(raw) + 2**20  # Pillow reads the tags of a TIFF three times, its pixels once
        self._until = time.thread_time() + MAX_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._left -= len(data)
        if self._left < 0:
            raise DamagedError(UserError("data.reason.overlap"))
        if time.thread_time() > self._until:
            raise DamagedError(UserError("data.reason.slow", seconds=f"{MAX_SECONDS:.0f}"))
        return data


def _start_decoder() -> None:
    """Start the decoder thread. Memory is bounded only if one image is decoded at a time.

    A lock is not enough: each thread has its own heap arena, which retains the memory of its last image.
    """
    global _decoder
    _decoder = ThreadPoolExecutor(1, thread_name_prefix="decode")


_start_decoder()
if hasattr(os, "register_at_fork"):  # threads are not copied to a child process
    os.register_at_fork(after_in_child=_start_decoder)


def _too_many_pixels(name: str) -> UserError:
    return UserError("data.too_many_pixels", name=name, most=MAX_PIXELS // 1_000_000)


def _unreadable(name: str, reason: str | UserError) -> UserError:
    return UserError("data.unreadable", name=name, reason=reason)


@contextmanager
def _pillow_errors(name: str) -> Iterator[None]:
    """Convert errors of Pillow to `UserError`. Put only calls of Pillow inside.

    Pillow does not document which errors it raises; `benchmarks.fuzz_images` found five types, so all are caught.
    """
    try:
        yield
    except UnidentifiedImageError:
        raise UserError("data.not_an_image", name=name) from None
    except Image.DecompressionBombError:
        raise _too_many_pixels(name) from None
    except MemoryError:
        raise UserError("data.no_memory", name=name) from None
    except DamagedError as error:
        raise _unreadable(name, error.reason) from None
    except Exception as error:
        raise _unreadable(name, quoted(str(error) or type(error).__name__)) from None


def _with_one_exif(raw: bytes) -> bytes:
    """Remove all EXIF markers of a JPEG but the first.

    Pillow joins the EXIF segments and parses them when it opens the file, and each tag may claim all of them.
    """
    first = raw.find(_EXIF_MARK) + len(_EXIF_MARK)
    if not raw.startswith(b"\xff\xd8") or raw.find(_EXIF_MARK, first) < 0:
        return raw
    return raw[:first] + raw[first:].replace(_EXIF_MARK, bytes(len(_EXIF_MARK)))


def _png_pixels(raw: bytes) -> int:
    """Number of pixels stated in the header of a PNG, the maximum of several headers; 0 for other files."""
    pixels, at = 0, len(_PNG_START)
    while raw.startswith(_PNG_START) and at < len(raw):
        length, kind = int.from_bytes(raw[at : at + 4]), raw[at + 4 : at + 8]
        if kind == b"IDAT":
            break
        if kind == b"IHDR":
            pixels = max(pixels, int.from_bytes(raw[at + 8 : at + 12]) * int.from_bytes(raw[at + 12 : at + 16]))
        at += 12 + length
    return pixels


def _open(raw: bytes, name: str) -> ImageFile.ImageFile:
    if _png_pixels(raw) > MAX_PIXELS:  # Pillow allocates the background of an animation before its size can be read
        raise _too_many_pixels(name)
    with _pillow_errors(name):
        return Image.open(_BoundedReader(_with_one_exif(raw)), formats=FORMATS)


def _check_header(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(name)
    if min(width, height) < MIN_SIDE:
        raise UserError("data.too_small", name=name, width=width, height=height, least=MIN_SIDE)


def _scans(raw: bytes) -> int:
    """Number of scans of a JPEG; decoding each one visits all pixels."""
    count, at = 0, 2
    while (marker := _JPEG_MARKER.search(raw, at)) and marker[1] != b"\xd9":
        count += marker[1] == b"\xda"
        at = marker.end() + int.from_bytes(raw[marker.end() : marker.end() + 2])
    return count


def _repeats_layout_tag(raw: bytes) -> bool:
    """Whether the first directory of a TIFF repeats one of `_LAYOUT_TAGS`: Pillow would use the last, libtiff the first."""
    big = raw[2] == 43  # BigTIFF
    order: Literal["little", "big"] = "little" if raw.startswith(b"II") else "big"
    # Bytes of a count and of a tag; position of the offset of the directory.
    number, entry, (start, end) = (8, 20, (8, 16)) if big else (2, 12, (4, 8))
    at = int.from_bytes(raw[start:end], order)
    count = min(int.from_bytes(raw[at : at + number], order), len(raw) // entry)
    tags = [raw[i : i + 2] for i in range(at + number, at + number + count * entry, entry)]
    return any(tags.count(tag.to_bytes(2, order)) > 1 for tag in _LAYOUT_TAGS)


def _strip_bytes(tags: Mapping[int, Any]) -> int:
    """Bytes of a strip or a tile of a TIFF, which libtiff decompresses as a whole; `tags` were read by `_open`."""

    def number(tag: int, default: int) -> int:
        value = tags.get(tag, default)
        return value if isinstance(value, int) else default

    width, height, samples = number(256, 0), number(257, 0), number(277, 3)
    pixels = number(322, 0) * number(323, 0) if 322 in tags else width * min(number(278, height), height)
    return pixels * samples * tags.get(258, (1,))[0] // 8


def _memory(image: ImageFile.ImageFile, full: int, scans: int) -> int:
    """Upper bound of the bytes that Pillow allocates to decode an opened image, as measured for each format.

    Args:
        full: number of pixels before `draft`.
        scans: number of scans of a JPEG.
    """
    raster = image.width * image.height * _PIXEL_BYTES.get(image.mode, 4)
    if isinstance(image, PngImagePlugin.PngImageFile) and image.is_animated:  # the background
        return 2 * raster
    if image.format == "WEBP":  # two canvases, the palette of a lossless file, and a copy
        return 5 * raster
    if image.format == "BMP" and image.tile[0].codec_name == "bmp_rle":  # a buffer with up to 255 extra rows, and a copy
        return 3 * raster + 2 * 255 * image.width
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # rotated in a copy
        return 2 * raster + _strip_bytes(image.tag_v2)
    if isinstance(image, JpegImagePlugin.JpegImageFile) and (scans > 1 or "progressive" in image.info):
        return raster + 2 * image.layers * full  # coefficients of 2 bytes for the whole image
    return raster


def _check_cost(image: ImageFile.ImageFile, raw: bytes, full: int, name: str) -> None:
    scans = _scans(raw) if isinstance(image, JpegImagePlugin.JpegImageFile) else 1
    if scans > MAX_SCANS:
        raise UserError("data.too_many_scans", name=name, scans=scans, most=MAX_SCANS)
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _repeats_layout_tag(raw):
        raise _unreadable(name, UserError("data.reason.repeated_tag"))
    memory = _memory(image, full, scans)
    if memory > MAX_MEMORY:
        raise UserError("data.too_much_memory", name=name, needed=f"{memory / 1e6:,.0f}", most=f"{MAX_MEMORY / 1e6:,.0f}")


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 (upright) if the EXIF data are damaged or suspiciously large."""
    if any(len(image.info.get(key, "")) > MAX_EXIF for key in ("exif", "Raw profile type exif")):
        return 1
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # damaged metadata must not discard the image
        return 1
    return orientation if isinstance(orientation, int) else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Rotate or mirror the image according to its EXIF orientation."""
    if orientation == 1:
        return image
    image.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(image)


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


def _scaled(image: Image.Image, name: str, most: int) -> Image.Image:
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
        with _pillow_errors(name):  # palette and transparency of the file may be invalid
            tile = _on_white(tile)
        reduced.paste(tile.reduce(step), (box[0] // step[0], box[1] // step[1]))
    exact = (0, 0, image.width / step[0], image.height / step[1])
    return reduced.resize((width, height), Image.Resampling.BILINEAR, box=exact)


def decode_image(source: Path | bytes, name: str | None = None, most: int = MAX_SIDE) -> Image.Image:
    """Decode an image as 8-bit RGB: rotated upright, transparency on white, the first frame of an animation.

    A process decodes one image at a time, within `MAX_MEMORY` and `MAX_SECONDS`; other threads wait.

    Args:
        source: a file, or its bytes.
        name: name in error messages; the file's name by default.
        most: of the longer side, in pixels. A JPEG decodes faster to a smaller size.

    Returns:
        An RGB image, its longer side at most `most` pixels.

    Raises:
        UserError: missing, empty, not an image of `FORMATS`, cut off, damaged, too large or too small.
    """
    return _run_in_decoder(functools.partial(_decode, most=most), source, name or _name_of(source))


def _name_of(source: Path | bytes) -> str:
    return source.name if isinstance(source, Path) else text("data.the_image")


def _run_in_decoder(task: Callable[[bytes, str], R], source: Path | bytes, name: str) -> R:
    """Call `task` with a file's bytes and its name in the decoder thread."""
    result = _decoder.submit(_attempt, task, source, quoted(name)).result()
    if isinstance(result, UserError):
        raise UserError(result.key, **result.values)  # raising a local variable would create a reference cycle
    return result


def _attempt(task: Callable[[bytes, str], R], source: Path | bytes, name: str) -> R | UserError:
    try:
        return task(_read(source, name), name)
    except UserError as error:  # copied: the traceback would hold the image's memory while the next one is decoded
        return UserError(error.key, **error.values)


def _decode(raw: bytes, name: str, most: int) -> Image.Image:
    with _open(raw, name) as image:
        _check_header(image, name)
        full = image.width * image.height
        with _pillow_errors(name):
            image.draft("RGB" if image.mode != "CMYK" else "CMYK", (2 * most, 2 * most))
        _check_cost(image, raw, full, name)
        with _pillow_errors(name):
            image.load()
        return _upright(_scaled(image, name, most), _orientation(image))


def too_large(name: str) -> UserError:
    """Error for a file of more than `MAX_BYTES`; `name` as given by a user."""
    return UserError("data.too_large", name=quoted(name), most=MAX_BYTES // 1_000_000)


def _read(source: Path | bytes, name: str) -> bytes:
    if isinstance(source, Path):
        try:
            if not source.is_file():
                raise UserError("data.no_file", path=quoted(source))
            if source.stat().st_size > MAX_BYTES:
                raise too_large(name)
            source = source.read_bytes()
        except OSError as error:
            raise UserError("data.no_access", name=name, reason=error.strerror) from None
    if not source:
        raise UserError("data.empty", name=name)
    return source


def is_animated(source: Path | bytes) -> bool:
    """Whether a file accepted by `decode_image` has a second frame; a damaged second frame does not count.

    Raises:
        UserError: missing, empty, or not an image of `FORMATS`.
    """
    return _run_in_decoder(_has_frames, source, _name_of(source))


def _has_frames(raw: bytes, name: str) -> bool:
    with _open(raw, name) as image:
        try:
            return bool(getattr(image, "is_animated", False))
        except Exception:  # the first frame may still be valid
            return False


def to_tensor(image: Image.Image, size: int) -> Tensor:
    """Center an RGB image on a white square and resize it: (1, 3, size, size) uint8."""
    side = max(image.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    if side != size:
        square = square.resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].contiguous()


def find_images(folder: Path) -> list[Path]:
    """Image files in a folder and its subfolders, sorted by path.

    Raises:
        UserError: there are none.
    """
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
    if not files:
        raise UserError("data.no_images", source=quoted(folder))
    return files
