"""An image file in a folder or an archive, and what is common to reading one from wherever it lies.

Nothing that an archive states about itself is trusted: at most `MAX_BYTES` of a file are held.
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

from cl_core.data.decoding import MAX_BYTES, SUFFIXES
from cl_core.errors import UserError, quoted

MAX_PATH = 1_000  # characters
MAX_DICTIONARY = 256_000_000  # bytes that unpacking xz or lzma may take
CHUNK = 65_536
# What the standard library raises for damaged archives.
DAMAGE = (
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

    name, folders: the file's name and those of the folders it lies in, outermost first, as the source holds them.
    read: gives the bytes, until the next file is taken. It raises a `UserError` that names the file if it cannot be read.
    fraction: how much of the source lies before the file, 0 to 1.
    """

    name: str
    folders: tuple[str, ...]
    read: Callable[[], bytes]
    fraction: float = 0.0


def too_large(name: str) -> UserError:
    return UserError(f"{quoted(name)} is larger than {MAX_BYTES // 1_000_000} MB; save it smaller.")


def reason_of(error: Exception) -> str:
    return quoted(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def is_hidden(part: str) -> bool:
    return part.startswith((".", "__MACOSX")) and part != ".."


def is_image(path: PurePosixPath) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(map(is_hidden, path.parts))


def folders_of(path: PurePosixPath) -> tuple[str, ...]:
    """As written in the archive; they only name classes, nothing is written there."""
    return tuple(part for part in path.parts[:-1] if part not in ("/", "//", "..", "."))


def entry(path: PurePosixPath, read: Callable[[str], bytes], fraction: float) -> ImageFile:
    """Turn whatever `read`, called with the name of the file, meets into a `UserError`."""

    def checked() -> bytes:
        if len(str(path)) > MAX_PATH:
            raise UserError(f"{quoted(path.name)} has a path of more than {MAX_PATH:,} characters; give it a shorter one.")
        try:
            return read(path.name)
        except DAMAGE as error:
            raise UserError(
                f"{quoted(path.name)} cannot be read ({reason_of(error)}); it may be cut off or damaged, save it again."
            ) from None

    return ImageFile(path.name, folders_of(path), checked, fraction)
