"""Decode untrusted image files with bounded memory and time.

All uploads and all files named by a user are decoded here.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from PIL import ExifTags, Image, ImageFile, ImageOps

from cl_core.data.image_limits import (
    MAX_BYTES,
    MAX_PIXELS,
    BoundedReader,
    check_cost,
    check_header,
    pillow_errors,
    png_pixels,
    too_large,
    too_many_pixels,
)
from cl_core.data.pixels import scaled
from cl_core.errors import UserError, quoted
from cl_core.text import text

MAX_EXIF = 65_536  # bytes; the size of a JPEG segment, cameras write one
MAX_SIDE = 512  # pixels; larger images are scaled down, encoders use at most 224
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")  # MPO, which phones write, is opened as JPEG

# Pillow's warnings about irregular files are not actionable.
warnings.filterwarnings("ignore", module=r"PIL\.")

_EXIF_MARK = b"Exif\0\0"

R = TypeVar("R")
_decoder: ThreadPoolExecutor


def _start_decoder() -> None:
    """Start the decoder thread. Memory is bounded only if one image is decoded at a time.

    A lock is not enough: each thread has its own heap arena, which retains the memory of its last image.
    """
    global _decoder
    _decoder = ThreadPoolExecutor(1, thread_name_prefix="decode")


_start_decoder()
if hasattr(os, "register_at_fork"):  # threads are not copied to a child process
    os.register_at_fork(after_in_child=_start_decoder)


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
        check_header(image, name)
        full = image.width * image.height
        with pillow_errors(name):
            image.draft("RGB" if image.mode != "CMYK" else "CMYK", (2 * most, 2 * most))
        check_cost(image, raw, full, name)
        with pillow_errors(name):
            image.load()
        return _upright(scaled(image, name, most), _orientation(image))


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


def find_images(folder: Path) -> list[Path]:
    """Image files in a folder and its subfolders, sorted by path.

    Raises:
        UserError: there are none.
    """
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
    if not files:
        raise UserError("data.no_images", source=quoted(folder))
    return files


def _with_one_exif(raw: bytes) -> bytes:
    """Remove all EXIF markers of a JPEG but the first.

    Pillow joins the EXIF segments and parses them when it opens the file, and each tag may claim all of them.
    """
    first = raw.find(_EXIF_MARK) + len(_EXIF_MARK)
    if not raw.startswith(b"\xff\xd8") or raw.find(_EXIF_MARK, first) < 0:
        return raw
    return raw[:first] + raw[first:].replace(_EXIF_MARK, bytes(len(_EXIF_MARK)))


def _open(raw: bytes, name: str) -> ImageFile.ImageFile:
    if png_pixels(raw) > MAX_PIXELS:  # Pillow allocates the background of an animation before its size can be read
        raise too_many_pixels(name)
    with pillow_errors(name):
        return Image.open(BoundedReader(_with_one_exif(raw)), formats=FORMATS)


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
