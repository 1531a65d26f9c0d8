"""The one door for images from outside: every upload and every file named by a user passes here."""

from __future__ import annotations

import dataclasses
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

MAX_PIXELS = 64_000_000
MAX_BYTES = 50_000_000
MAX_MEMORY = 512 * 2**20  # bytes to decode one image: room for MAX_PIXELS as PNG or JPEG in any mode (at most 8.3 bytes a pixel)
MAX_SECONDS = 10.0  # of processor time to decode one image: ten times what MAX_PIXELS take
MAX_SCANS = 50  # of a progressive JPEG; programs write about 10, and each passes over all pixels
MAX_EXIF = 65_536  # bytes; cameras write one JPEG segment, which holds no more
MIN_SIDE = 8
MAX_SIDE = 512  # decoded images are scaled down to this: encoders see at most 224 px
TILE_SIDE = 256  # pixels, about: a tile stays in the processor's cache while it is converted
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")  # MPO, which phones write, is opened as JPEG
NAMED = "PNG, JPEG, WebP, GIF, BMP and TIFF"  # FORMATS as messages name them

# Pillow's own guard, for anything that opens an image elsewhere in the process (Gradio does).
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

# Pillow warns about oddities of a file, which nobody here could act on.
warnings.filterwarnings("ignore", module=r"PIL\.")

_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # 4 in all other modes of Pillow
_PNG_START = b"\x89PNG\r\n\x1a\n"
_EXIF_MARK = b"Exif\0\0"
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")  # those that a length follows
_LAYOUT_TAGS = (256, 257, 258, 259, 277, 278, 284, 322, 323)  # of a TIFF: sizes, bits, samples, strips and tiles

R = TypeVar("R")
_decoder: ThreadPoolExecutor


@dataclasses.dataclass(frozen=True)
class _Refusal:
    sentence: str


class _Metered(io.BytesIO):
    """A file's bytes, which refuse a reader that reads too much or takes too long.

    Each tag of a TIFF may claim the whole file, and Pillow reads some parts of a file in Python: 5 MB are enough to
    take gigabytes and minutes.
    """

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._left = 6 * len(raw) + 2**20  # Pillow reads a TIFF's tags three times, its pixels once
        self._until = time.thread_time() + MAX_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._left -= len(data)
        if self._left < 0:
            raise OSError("its parts overlap")
        if time.thread_time() > self._until:
            raise OSError(f"decoding takes more than {MAX_SECONDS:.0f} s")
        return data


def _start_decoder() -> None:
    """Start the one thread that decodes: the process's memory is bounded only if one image is decoded at a time.

    A lock would not do: each thread has a part of the heap of its own, which keeps what its last image took.
    """
    global _decoder
    _decoder = ThreadPoolExecutor(1, thread_name_prefix="decode")


_start_decoder()
if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_start_decoder)


def _too_many_pixels(name: str) -> UserError:
    return UserError(f"{name} has more than {MAX_PIXELS // 1_000_000} million pixels; scale it down.")


def _unreadable(name: str, reason: str) -> UserError:
    return UserError(f"{name} cannot be read ({quoted(reason)}); it may be cut off or damaged, save it again.")


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Turn what Pillow raises for a damaged file into a sentence. Put only calls of Pillow inside.

    Pillow promises no set of errors: `benchmarks.fuzz_images` met five kinds, so all are caught.
    """
    try:
        yield
    except UnidentifiedImageError:
        raise UserError(f"{name} is not an image; {NAMED} files are read.") from None
    except Image.DecompressionBombError:
        raise _too_many_pixels(name) from None
    except MemoryError:
        raise UserError(f"{name} needs more memory than is free; scale it down.") from None
    except Exception as error:
        raise _unreadable(name, str(error) or type(error).__name__) from None


def _with_one_exif(raw: bytes) -> bytes:
    """The bytes of a JPEG with no EXIF mark but the first.

    Pillow joins the EXIF segments and reads them while it opens the file, and each tag may claim the whole.
    """
    first = raw.find(_EXIF_MARK) + len(_EXIF_MARK)
    if not raw.startswith(b"\xff\xd8") or raw.find(_EXIF_MARK, first) < 0:
        return raw
    return raw[:first] + raw[first:].replace(_EXIF_MARK, bytes(len(_EXIF_MARK)))


def _png_pixels(raw: bytes) -> int:
    """Pixels that a PNG's header claims, the most if it has several; 0 for other files."""
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
    if _png_pixels(raw) > MAX_PIXELS:  # Pillow draws the background of an animation before it can be asked for the size
        raise _too_many_pixels(name)
    with _refusing(name):
        return Image.open(_Metered(_with_one_exif(raw)), formats=FORMATS)


def _check_header(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(name)
    if min(width, height) < MIN_SIDE:
        raise UserError(f"{name} is {width} x {height} pixels; it needs at least {MIN_SIDE} x {MIN_SIDE} to show anything.")


def _scans(raw: bytes) -> int:
    """How many scans a JPEG has before its end; each passes over all pixels."""
    count, at = 0, 2
    while (marker := _JPEG_MARKER.search(raw, at)) and marker[1] != b"\xd9":
        count += marker[1] == b"\xda"
        at = marker.end() + int.from_bytes(raw[marker.end() : marker.end() + 2])
    return count


def _layout_tag_twice(raw: bytes) -> bool:
    """Whether the first directory of a TIFF has one of `_LAYOUT_TAGS` twice: Pillow then believes the last, libtiff the first."""
    big = raw[2] == 43  # BigTIFF
    order: Literal["little", "big"] = "little" if raw.startswith(b"II") else "big"
    number, entry, (start, end) = (8, 20, (8, 16)) if big else (2, 12, (4, 8))  # bytes: of a count, of a tag; of the offset
    at = int.from_bytes(raw[start:end], order)
    count = min(int.from_bytes(raw[at : at + number], order), len(raw) // entry)
    tags = [raw[i : i + 2] for i in range(at + number, at + number + count * entry, entry)]
    return any(tags.count(tag.to_bytes(2, order)) > 1 for tag in _LAYOUT_TAGS)


def _strip_bytes(tags: Mapping[int, Any]) -> int:
    """Bytes of a strip or a tile of a TIFF, which libtiff decompresses whole, from the tags that `_open` found sound."""

    def number(tag: int, default: int) -> int:
        value = tags.get(tag, default)
        return value if isinstance(value, int) else default

    width, height, samples = number(256, 0), number(257, 0), number(277, 3)
    pixels = number(322, 0) * number(323, 0) if 322 in tags else width * min(number(278, height), height)
    return pixels * samples * tags.get(258, (1,))[0] // 8


def _memory(image: ImageFile.ImageFile, full: int, scans: int) -> int:
    """Bytes that Pillow takes to decode an opened image, at most: what was measured for each kind of file.

    Args:
        full: pixels before `draft`.
        scans: of a JPEG.
    """
    raster = image.width * image.height * _PIXEL_BYTES.get(image.mode, 4)
    if isinstance(image, PngImagePlugin.PngImageFile) and image.is_animated:  # the background
        return 2 * raster
    if image.format == "WEBP":  # two canvases, the colors of a lossless file, and a copy
        return 5 * raster
    if image.format == "BMP" and image.tile[0].codec_name == "bmp_rle":  # a buffer, that a jump makes 255 rows longer, and a copy
        return 3 * raster + 2 * 255 * image.width
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # turned upright in a copy
        return 2 * raster + _strip_bytes(image.tag_v2)
    if isinstance(image, JpegImagePlugin.JpegImageFile) and (scans > 1 or "progressive" in image.info):
        return raster + 2 * image.layers * full  # coefficients of 2 bytes, of the whole image
    return raster


def _check_cost(image: ImageFile.ImageFile, raw: bytes, full: int, name: str) -> None:
    scans = _scans(raw) if isinstance(image, JpegImagePlugin.JpegImageFile) else 1
    if scans > MAX_SCANS:
        raise UserError(f"{name} is a JPEG of {scans} scans, and at most {MAX_SCANS} are read; save it again as an ordinary one.")
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _layout_tag_twice(raw):
        raise _unreadable(name, "a tag stands there twice")
    memory = _memory(image, full, scans)
    if memory > MAX_MEMORY:
        millions = f"{memory / 1e6:,.0f} MB of memory to decode, more than {MAX_MEMORY / 1e6:,.0f} MB"
        raise UserError(f"{name} takes {millions}; scale it down, or save it as a PNG.")


def _orientation(image: Image.Image) -> int:
    """How the camera was turned, 1 to 8 as in EXIF; 1, upright, where the EXIF data are damaged or suspiciously large."""
    if any(len(image.info.get(key, "")) > MAX_EXIF for key in ("exif", "Raw profile type exif")):
        return 1
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # a damaged note beside the pixels must not lose them
        return 1
    return orientation if isinstance(orientation, int) else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """The image turned as EXIF's orientation says."""
    if orientation == 1:
        return image
    image.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(image)


def _on_white(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image if image.mode in ("L", "RGB") else image.convert("RGB")  # gray stays so until it is reduced


def _boxes(image: Image.Image, step: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Boxes that cover an image, of about `TILE_SIDE` squared pixels; but at the edges their sides are multiples of `step`."""
    side = 8 * TILE_SIDE if image.mode == "LAB" else TILE_SIDE  # each conversion of LAB begins with a slow preparation
    width, height = image.size
    down = side**2 // min(side, width)  # a narrow image is cut into long boxes
    across = side**2 // min(down, height)
    across, down = (each * max(1, size // each) for size, each in zip((across, down), step, strict=True))
    for y in range(0, height, down):
        for x in range(0, width, across):
            yield x, y, min(x + across, width), min(y + down, height)


def _white_point(image: Image.Image) -> float:
    """The value that is shown as white in a 16-bit or floating image: 255, 65,535 or the largest."""
    top = 0.0
    for box in _boxes(image, (1, 1)):
        values = np.asarray(image.crop(box))
        top = max(top, float(values.max(where=np.isfinite(values), initial=0)))
    return 255.0 if top <= 255 else 65535.0 if top <= 65535 else top


def _to_8_bit(image: Image.Image, white: float) -> Image.Image:
    """16-bit and floating images scaled, not clipped, to 8 bits; what is no number is black."""
    values = np.asarray(image, dtype=np.float64)
    if image.mode == "F":
        values = np.nan_to_num(values, posinf=white)
    return Image.fromarray((values.clip(0) * (255 / white)).round().astype(np.uint8))


def _scaled(image: Image.Image, name: str) -> Image.Image:
    """A loaded image as RGB on white, its longer side at most `MAX_SIDE`.

    It is converted and reduced tile by tile: no second copy of the full size is ever made.
    """
    ratio = min(1.0, MAX_SIDE / max(image.size))
    width, height = (max(1, round(side * ratio)) for side in image.size)
    step = max(1, image.width // (2 * width)), max(1, image.height // (2 * height))  # what is left is interpolated
    white = _white_point(image) if image.mode.startswith(("I", "F")) else 0.0
    reduced = Image.new("RGB", (-(-image.width // step[0]), -(-image.height // step[1])))
    for box in _boxes(image, step):
        tile = image.crop(box)
        if white:
            tile = _to_8_bit(tile, white)
        with _refusing(name):  # colors and transparency come from the file
            tile = _on_white(tile)
        reduced.paste(tile.reduce(step), (box[0] // step[0], box[1] // step[1]))
    exact = (0, 0, image.width / step[0], image.height / step[1])
    return reduced.resize((width, height), Image.Resampling.BILINEAR, box=exact)


def decode_image(source: Path | bytes, name: str | None = None) -> Image.Image:
    """Read one image as upright 8-bit RGB, transparency on white, the first frame of an animation.

    Decode one image at a time in a process, within `MAX_MEMORY` and `MAX_SECONDS`; other threads wait.

    Args:
        source: a file, or its bytes.
        name: what to call it in a message; the file's name by default.

    Returns:
        An RGB image, its longer side at most `MAX_SIDE` pixels.

    Raises:
        UserError: missing, empty, not an image of `FORMATS`, cut off, damaged, too large or too small.
    """
    name = quoted(name or (source.name if isinstance(source, Path) else "The image"))
    return _in_turn(_decode, source, name)


def _in_turn(task: Callable[[bytes, str], R], source: Path | bytes, name: str) -> R:
    """Give a file's bytes and its name to a task in the thread that decodes."""
    done = _decoder.submit(_attempt, task, source, name).result()
    if isinstance(done, _Refusal):
        raise UserError(done.sentence)
    return done


def _attempt(task: Callable[[bytes, str], R], source: Path | bytes, name: str) -> R | _Refusal:
    try:
        return task(_read(source, name), name)
    except UserError as error:  # not handed on: its traceback would keep the image's memory while the next one is decoded
        return _Refusal(str(error))


def _decode(raw: bytes, name: str) -> Image.Image:
    with _open(raw, name) as image:
        _check_header(image, name)
        full = image.width * image.height
        with _refusing(name):
            image.draft("RGB" if image.mode != "CMYK" else "CMYK", (2 * MAX_SIDE, 2 * MAX_SIDE))
        _check_cost(image, raw, full, name)
        with _refusing(name):
            image.load()
        return _upright(_scaled(image, name), _orientation(image))


def _read(source: Path | bytes, name: str) -> bytes:
    if isinstance(source, Path):
        try:
            if not source.is_file():
                raise UserError(f"There is no file {quoted(source)}; give the path of an image.")
            if source.stat().st_size > MAX_BYTES:
                raise UserError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB; save it smaller.")
            source = source.read_bytes()
        except OSError as error:
            raise UserError(f"{name} cannot be read ({error.strerror}); check its path and who may read it.") from None
    if not source:
        raise UserError(f"{name} is empty; choose a file that holds an image.")
    return source


def is_animated(source: Path | bytes) -> bool:
    """Whether a file that `decode_image` reads has more than the one frame that is used; a damaged second is none.

    Raises:
        UserError: missing, empty, or not an image of `FORMATS`.
    """
    name = quoted(source.name if isinstance(source, Path) else "The image")
    return _in_turn(_has_frames, source, name)


def _has_frames(raw: bytes, name: str) -> bool:
    with _open(raw, name) as image:
        try:
            return bool(getattr(image, "is_animated", False))
        except Exception:  # the first frame, which is used, may be sound
            return False


def to_tensor(image: Image.Image, size: int) -> Tensor:
    """RGB image -> (1, 3, size, size) uint8, padded with white to a square, its content centered."""
    side = max(image.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    if side != size:
        square = square.resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].contiguous()


def find_images(folder: Path) -> list[Path]:
    """Image files in a folder and the folders below it, sorted by path.

    Raises:
        UserError: the folder holds none.
    """
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
    if not files:
        raise UserError(f"The folder {quoted(folder)} holds no image; {NAMED} files are read.")
    return files
