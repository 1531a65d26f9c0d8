"""The one door for pictures from outside: every upload and every file named by a user passes here."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from cl_core.errors import UserError

MAX_PIXELS = 64_000_000
MAX_BYTES = 50_000_000
MIN_SIDE = 8
MAX_SIDE = 512  # decoded pictures are scaled down to this: encoders see at most 224 px
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"}

# Pillow's own guard, for anything that opens a picture elsewhere in the process (Gradio does).
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def _too_many_pixels(name: str) -> UserError:
    return UserError(f"{name} has more than {MAX_PIXELS // 1_000_000} million pixels; scale it down.")


def _check_header(picture: Image.Image, name: str) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(name)
    if min(width, height) < MIN_SIDE:
        raise UserError(f"{name} is {width} x {height} pixels; it needs at least {MIN_SIDE} x {MIN_SIDE} to show anything.")


def _to_8_bit(picture: Image.Image) -> Image.Image:
    """16-bit and floating pictures scaled, not clipped, to 8 bits."""
    values = np.asarray(picture, dtype=np.float64)
    top = values.max(initial=0)
    limit = 255.0 if top <= 255 else 65535.0 if top <= 65535 else top
    return Image.fromarray((values.clip(0) * (255 / limit)).round().astype(np.uint8))


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        picture = _to_8_bit(picture)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return picture.convert("RGB")


def decode_picture(source: Path | bytes, name: str | None = None) -> Image.Image:
    """Read one picture as upright 8-bit RGB, transparency on white, the first frame of an animation.

    Args:
        source: a file, or its bytes.
        name: what to call it in a message; the file's name by default.

    Returns:
        An RGB picture, its longer side at most `MAX_SIDE` pixels.

    Raises:
        UserError: missing, empty, not a picture, cut off, too large or too small.
    """
    name = name or (source.name if isinstance(source, Path) else "The picture")
    try:
        raw = _read(source, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(raw)) as picture:
                _check_header(picture, name)
                picture.draft("RGB" if picture.mode != "CMYK" else "CMYK", (2 * MAX_SIDE, 2 * MAX_SIDE))
                picture.load()
                upright = ImageOps.exif_transpose(_on_white_keep_exif(picture))
    except UnidentifiedImageError:
        raise UserError(f"{name} is not a picture; PNG, JPEG, WebP, GIF, BMP and TIFF files are read.") from None
    except Image.DecompressionBombError:
        raise _too_many_pixels(name) from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(f"{name} cannot be read ({error}); it may be cut off or damaged, save it again.") from None
    upright.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BILINEAR)
    return upright


def _on_white_keep_exif(picture: Image.Image) -> Image.Image:
    exif = picture.getexif()
    white = _on_white(picture)
    if len(exif):
        white.info["exif"] = exif.tobytes()
    return white


def _read(source: Path | bytes, name: str) -> bytes:
    if isinstance(source, Path):
        if not source.is_file():
            raise UserError(f"There is no file {source}; give the path of a picture.")
        if source.stat().st_size > MAX_BYTES:
            raise UserError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB; save it smaller.")
        source = source.read_bytes()
    if not source:
        raise UserError(f"{name} is empty; choose a file that holds a picture.")
    return source


def is_animated(source: Path) -> bool:
    """Whether a file that `decode_picture` reads has more than the one frame that is used."""
    with Image.open(source) as picture:
        return bool(getattr(picture, "is_animated", False))


def to_tensor(picture: Image.Image, size: int) -> Tensor:
    """RGB picture -> (1, 3, size, size) uint8, padded with white to a square, its content centred."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    if side != size:
        square = square.resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].contiguous()


def find_pictures(folder: Path) -> list[Path]:
    """Picture files in a folder and the folders below it, sorted by path.

    Raises:
        UserError: the folder holds none.
    """
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
    if not files:
        raise UserError(f"The folder {folder} holds no picture; PNG, JPEG, WebP, GIF, BMP and TIFF files are read.")
    return files
