"""Image files in folders and archives.

Sizes and names stated by an archive are not trusted: at most `MAX_BYTES` of a file are read into memory.
"""

from __future__ import annotations

import dataclasses
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath

from cl_core.data.decoding import SUFFIXES
from cl_core.data.image_limits import DamagedError
from cl_core.errors import UserError, quoted

MAX_PATH = 1_000  # characters
MAX_DICTIONARY = 256_000_000  # bytes for decompressing xz or lzma
CHUNK = 65_536
# Errors that the standard library raises for damaged archives, and `DamagedError`.
ARCHIVE_ERRORS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    OverflowError,
    NotImplementedError,
    RecursionError,
)


@dataclasses.dataclass(frozen=True)
class ImageFile:
    """An image file in a folder or an archive.

    Attributes:
        name: file name.
        folders: names of the folders it lies in, outermost first.
        read: returns the bytes; valid until the next file is taken. Raises `UserError` if the file cannot be read.
        fraction: fraction of the source before this file, 0 to 1.
    """

    name: str
    folders: tuple[str, ...]
    read: Callable[[], bytes]
    fraction: float = 0.0


def reason_of(error: Exception) -> str | UserError:
    """Cause of an error for use in a message."""
    if isinstance(error, DamagedError):
        return error.reason
    return quoted(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def is_hidden(part: str) -> bool:
    return part.startswith((".", "__MACOSX")) and part != ".."


def is_image(path: PurePosixPath) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(map(is_hidden, path.parts))


def folders_of(path: PurePosixPath) -> tuple[str, ...]:
    """Folders as written in the archive, without `..` and `/`. They only name classes; nothing is written there."""
    return tuple(part for part in path.parts[:-1] if part not in ("/", "//", "..", "."))


def image_file(path: PurePosixPath, read: Callable[[str], bytes], fraction: float) -> ImageFile:
    """`ImageFile` whose `read` calls the given one with the file name and converts its errors to `UserError`."""

    def checked() -> bytes:
        if len(str(path)) > MAX_PATH:
            raise UserError("data.long_path", name=quoted(path.name), most=f"{MAX_PATH:,}")
        try:
            return read(path.name)
        except ARCHIVE_ERRORS as error:
            raise UserError("data.unreadable", name=quoted(path.name), reason=reason_of(error)) from None

    return ImageFile(path.name, folders_of(path), checked, fraction)
