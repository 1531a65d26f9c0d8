"""Limits of image files, and checks before one is decoded: its header states what decoding takes."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from cl_core.errors import UserError, quoted

MAX_PIXELS = 64_000_000
MAX_BYTES = 50_000_000
MAX_MEMORY = 512 * 2**20  # bytes to decode one image; enough for MAX_PIXELS as PNG or JPEG in any mode (up to 8.3 bytes a pixel)
MAX_SECONDS = 10.0  # of CPU time to decode one image; ten times what MAX_PIXELS take
MAX_SCANS = 50  # of a progressive JPEG; encoders write about 10, and decoding each one visits all pixels
MIN_SIDE = 8

# Pillow's own limit, for images opened elsewhere in the process, such as by Gradio.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # 4 in all other modes
_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")  # markers followed by a length
_LAYOUT_TAGS = (256, 257, 258, 259, 277, 278, 284, 322, 323)  # of a TIFF: sizes, bits, samples, strips and tiles


class DamagedError(OSError):
    """Damage found by this package, not by a library; `reason` is a text in both languages."""

    def __init__(self, reason: UserError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class BoundedReader(io.BytesIO):
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


def too_many_pixels(name: str) -> UserError:
    return UserError("data.too_many_pixels", name=name, most=MAX_PIXELS // 1_000_000)


def unreadable(name: str, reason: str | UserError) -> UserError:
    return UserError("data.unreadable", name=name, reason=reason)


@contextmanager
def pillow_errors(name: str) -> Iterator[None]:
    """Convert errors of Pillow to `UserError`. Put only calls of Pillow inside.

    Pillow does not document which errors it raises; `benchmarks.fuzz_images` found five types, so all are caught.
    """
    try:
        yield
    except UnidentifiedImageError:
        raise UserError("data.not_an_image", name=name) from None
    except Image.DecompressionBombError:
        raise too_many_pixels(name) from None
    except MemoryError:
        raise UserError("data.no_memory", name=name) from None
    except DamagedError as error:
        raise unreadable(name, error.reason) from None
    except Exception as error:
        raise unreadable(name, quoted(str(error) or type(error).__name__)) from None


def too_large(name: str) -> UserError:
    """Error for a file of more than `MAX_BYTES`; `name` as given by a user."""
    return UserError("data.too_large", name=quoted(name), most=MAX_BYTES // 1_000_000)


def png_pixels(raw: bytes) -> int:
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


def check_header(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise too_many_pixels(name)
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


def check_cost(image: ImageFile.ImageFile, raw: bytes, full: int, name: str) -> None:
    scans = _scans(raw) if isinstance(image, JpegImagePlugin.JpegImageFile) else 1
    if scans > MAX_SCANS:
        raise UserError("data.too_many_scans", name=name, scans=scans, most=MAX_SCANS)
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _repeats_layout_tag(raw):
        raise unreadable(name, UserError("data.reason.repeated_tag"))
    memory = _memory(image, full, scans)
    if memory > MAX_MEMORY:
        raise UserError("data.too_much_memory", name=name, needed=f"{memory / 1e6:,.0f}", most=f"{MAX_MEMORY / 1e6:,.0f}")
