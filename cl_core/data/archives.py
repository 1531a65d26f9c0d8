"""Iterate over the image files of a folder or an archive; archives are never extracted to disk."""

from __future__ import annotations

import functools
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from cl_core.data.entries import ARCHIVE_ERRORS, ImageFile, image_file, is_hidden, is_image, reason_of
from cl_core.data.image_limits import MAX_BYTES, too_large
from cl_core.data.tar_files import from_tar
from cl_core.data.zip_files import from_zip
from cl_core.errors import UserError, quoted

MAX_FILES = 1_000_000
ENTRIES_PER_FILE = 4  # folders, labels and other files, which are skipped


def _read_file(file: Path, name: str) -> bytes:
    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise too_large(name)
    return content


def _raise(error: OSError, name: str) -> bytes:
    raise error


def _walk(folder: Path) -> Iterator[tuple[Path, OSError | None]]:
    """Image files below a folder; inaccessible files and folders come with their error. Links to folders are not followed."""
    failures: list[OSError] = []
    for root, folders, names in os.walk(folder, onerror=failures.append):
        folders[:] = [each for each in folders if not is_hidden(each)]
        for path in (Path(root, name) for name in names if is_image(PurePosixPath(name))):
            try:
                if stat.S_ISREG(path.stat().st_mode):
                    yield path, None
            except OSError as error:
                yield path, error
    for failure in failures:
        if Path(failure.filename) == folder:
            raise failure
        yield Path(failure.filename), failure


def _from_folder(folder: Path) -> Iterator[ImageFile | None]:
    files = []
    for file in _walk(folder):
        files.append(file)
        if len(files) > MAX_FILES:
            break
    for at, (path, failure) in enumerate(files):
        read = functools.partial(_raise, failure) if failure else functools.partial(_read_file, path)
        yield image_file(PurePosixPath(*path.relative_to(folder).parts), read, at / len(files))


def _entries(source: Path) -> Iterator[ImageFile | None]:
    """The image files, and None for every other entry."""
    if not source.exists():
        raise UserError("data.no_source", source=quoted(source))
    if source.is_dir():
        return _from_folder(source)
    if not source.is_file():
        raise UserError("data.not_an_archive", source=quoted(source))
    return from_zip(source) if zipfile.is_zipfile(source) else from_tar(source)


def read_images(source: Path) -> Iterator[ImageFile]:
    """Image files of a folder, a zip or a tar archive (gzip, bzip2 or xz), in the order of the source.

    Files in hidden folders are skipped, and links to folders are not followed.

    Raises:
        UserError: the source does not exist, is of another type, is too damaged to list its entries, or holds no image or
            more than a million.
    """
    entries = count = 0
    try:
        for file in _entries(source):
            entries += 1
            count += file is not None
            if count > MAX_FILES:
                raise UserError("data.too_many_images", source=quoted(source), most=f"{MAX_FILES:,}")
            if entries > ENTRIES_PER_FILE * MAX_FILES:
                raise UserError("data.too_many_entries", source=quoted(source), most=f"{ENTRIES_PER_FILE * MAX_FILES:,}")
            if file is not None:
                yield file
    except ARCHIVE_ERRORS as error:
        raise UserError("data.damaged_archive", source=quoted(source), reason=reason_of(error)) from None
    if count == 0:
        raise UserError("data.no_images", source=quoted(source))
