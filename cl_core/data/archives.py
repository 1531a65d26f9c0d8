"""Picture files in a folder or an archive, read one at a time and never unpacked to the disk."""

from __future__ import annotations

import dataclasses
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from cl_core.data.decoding import MAX_BYTES, SUFFIXES
from cl_core.errors import UserError

MAX_FILES = 1_000_000


@dataclasses.dataclass(frozen=True)
class PictureFile:
    """name: of the file; folders: those it lies in, outermost first; read: gives its bytes."""

    name: str
    folders: tuple[str, ...]
    read: Callable[[], bytes]


def _is_picture(path: PurePosixPath) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not hidden


def _from_folder(folder: Path) -> Iterator[PictureFile]:
    for file in folder.rglob("*"):
        inside = PurePosixPath(*file.relative_to(folder).parts)
        if _is_picture(inside) and file.is_file():
            yield PictureFile(file.name, inside.parts[:-1], lambda file=file: _read_file(file))  # type: ignore[misc]


def _read_file(file: Path) -> bytes:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise UserError(f"{file.name} is larger than {MAX_BYTES // 1_000_000} MB; save it smaller.")
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{file.name} cannot be read ({error.strerror}).") from None


def _from_zip(path: Path) -> Iterator[PictureFile]:
    archive = zipfile.ZipFile(path)
    for info in archive.infolist():
        inside = PurePosixPath(info.filename)
        if not info.is_dir() and _is_picture(inside) and info.file_size <= MAX_BYTES:
            yield PictureFile(inside.name, _folders(inside), lambda info=info: archive.read(info))  # type: ignore[misc]


def _from_tar(path: Path) -> Iterator[PictureFile]:
    # A compressed archive cannot be read out of order quickly, so its (small) files are taken in passing.
    with tarfile.open(path) as archive:
        for member in archive:
            inside = PurePosixPath(member.name)
            if member.isfile() and _is_picture(inside) and member.size <= MAX_BYTES:
                file = archive.extractfile(member)
                content = file.read() if file else b""
                yield PictureFile(inside.name, _folders(inside), lambda content=content: content)  # type: ignore[misc]


def _folders(path: PurePosixPath) -> tuple[str, ...]:
    """As written in the archive; they only name classes, nothing is written there."""
    return tuple(part for part in path.parts[:-1] if part not in ("/", "..", "."))


def read_pictures(source: Path) -> Iterator[PictureFile]:
    """The picture files in a folder, a zip or a tar archive (gzip, bzip2 or xz), those below hidden folders left out.

    Raises:
        UserError: it is not there, is neither, is damaged, or holds no picture, or more than a million.
    """
    if not source.exists():
        raise UserError(f"There is no folder or archive {source}; give the path of one that holds pictures.")
    count = 0
    try:
        if source.is_dir():
            found = _from_folder(source)
        elif zipfile.is_zipfile(source):
            found = _from_zip(source)
        elif tarfile.is_tarfile(source):
            found = _from_tar(source)
        else:
            raise UserError(f"{source} is neither a folder nor a zip or tar archive; give one that holds pictures.")
        for file in found:
            count += 1
            if count > MAX_FILES:
                raise UserError(f"{source} holds more than {MAX_FILES:,} pictures; give a part of them.")
            yield file
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise UserError(f"{source} cannot be read ({error}); it may be cut off or damaged, copy it again.") from None
    if count == 0:
        raise UserError(f"{source} holds no picture; PNG, JPEG, WebP, GIF, BMP and TIFF files are read.")
