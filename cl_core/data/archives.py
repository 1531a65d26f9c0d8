"""Image files in a folder or an archive, read one at a time and never unpacked to the disk."""

from __future__ import annotations

import functools
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from cl_core.data.decoding import MAX_BYTES
from cl_core.data.entries import DAMAGE, ImageFile, entry, is_hidden, is_image, reason_of, too_large
from cl_core.data.tar_files import from_tar
from cl_core.data.zip_files import from_zip
from cl_core.errors import UserError, quoted

MAX_FILES = 1_000_000
ENTRIES_PER_FILE = 4  # folders, labels and the like, which are passed over


def _read_file(file: Path, name: str) -> bytes:
    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise too_large(name)
    return content


def _fail(error: OSError, name: str) -> bytes:
    raise error


def _files_below(folder: Path) -> Iterator[tuple[Path, OSError | None]]:
    """Image files, and files and folders that cannot be looked at, with the reason. Links to folders are not followed."""
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
    for file in _files_below(folder):
        files.append(file)
        if len(files) > MAX_FILES:
            break
    for at, (path, failure) in enumerate(files):
        read = functools.partial(_fail, failure) if failure else functools.partial(_read_file, path)
        yield entry(PurePosixPath(*path.relative_to(folder).parts), read, at / len(files))


def _from(source: Path) -> Iterator[ImageFile | None]:
    """The image files, and None for every other entry."""
    if not source.exists():
        raise UserError(f"There is no folder or archive {quoted(source)}; give the path of one that holds images.")
    if source.is_dir():
        return _from_folder(source)
    if not source.is_file():
        raise UserError(f"{quoted(source)} is neither a folder nor a zip or tar archive; give one that holds images.")
    return from_zip(source) if zipfile.is_zipfile(source) else from_tar(source)


def read_images(source: Path) -> Iterator[ImageFile]:
    """The image files in a folder, a zip or a tar archive (gzip, bzip2 or xz), in the order in which they lie there.

    Those below hidden folders are left out, and links to folders are not followed.

    Raises:
        UserError: it is not there, is neither, is damaged so that its entries cannot be listed, or holds no image, or more
            than a million.
    """
    name = quoted(source)
    entries = count = 0
    try:
        for file in _from(source):
            entries += 1
            count += file is not None
            if count > MAX_FILES or entries > ENTRIES_PER_FILE * MAX_FILES:
                what = f"{MAX_FILES:,} images" if count > MAX_FILES else f"{ENTRIES_PER_FILE * MAX_FILES:,} entries"
                raise UserError(f"{name} holds more than {what}; give a part of them.")
            if file is not None:
                yield file
    except DAMAGE as error:
        raise UserError(f"{name} cannot be read ({reason_of(error)}); it may be cut off or damaged, copy it again.") from None
    if count == 0:
        raise UserError(f"{name} holds no image; PNG, JPEG, WebP, GIF, BMP and TIFF files are read.")
