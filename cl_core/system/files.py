"""Reads of bounded size, and atomic writes.

After a crash or on a full disk a file holds its old or its new content, never a part of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from cl_core.errors import UserError, quoted

OWNER = ".owner"  # file in a folder: the visitor of a shared app who made it


def check_regular(path: Path) -> int:
    """Size of a regular file, or of the one that a link leads to, in bytes.

    A named pipe or a device is refused before it is opened: reading one may never end.

    Raises:
        FileNotFoundError: there is none.
        UserError: `path` is something else, or its name is too long.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError("system.unreadable", path=quoted(path), reason=quoted(error.strerror)) from None
    if not stat.S_ISREG(status.st_mode):
        raise UserError("system.not_a_file", path=quoted(path))
    return status.st_size


def read_bytes(path: Path, most: int) -> bytes:
    """Content of a regular file of at most `most` bytes.

    Raises:
        FileNotFoundError: there is none.
        UserError: the file is longer, cannot be read, or is not a regular file.
    """
    size = check_regular(path)
    if size > most:
        raise UserError("system.too_large", path=quoted(path), mb=f"{size / 1e6:,.0f}", most=f"{most / 1e6:,.0f}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError("system.unreadable", path=quoted(path), reason=quoted(error.strerror)) from None


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Write a temporary file beside `path` with `write`, flush it to disk and rename it to `path`.

    Raises:
        UserError: the disk is full, or the folder is not writable. Errors of safetensors and torch are converted too.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or quoted(str(error))
        raise UserError("system.not_written", path=path, reason=reason) from None
    finally:  # after Ctrl-C, too
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` atomically."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    replace_file(path, write)


def modified_at(path: Path) -> float:
    """Time of the last change, in seconds; 0 if the file is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def total_size(files: Iterable[Path]) -> int:
    """Bytes of regular files; links, folders and files that are gone meanwhile do not count."""
    size = 0
    for path in files:
        with contextlib.suppress(OSError):
            found = path.lstat()
            size += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return size


def remove_oldest(files: Iterable[tuple[float, int, Path]], most: float, before: float) -> int:
    """Remove the oldest files until the rest takes at most `most` bytes; returns how many were removed.

    Args:
        files: Unix time in seconds, bytes and path of each.
        before: Unix time in seconds; younger files stay.
    """
    gone, by_age = 0, sorted(files)
    taken = sum(size for _, size, _ in by_age)
    for when, size, file in by_age:
        if taken <= most or when > before:
            break
        with contextlib.suppress(OSError):
            file.unlink()
            gone, taken = gone + 1, taken - size
    return gone


def owner_of(folder: Path) -> str:
    """The visitor of the app who made the run or the data set in `folder`; empty where no visitor did."""
    try:
        return (folder / OWNER).read_text(encoding="utf-8")[:100]
    except (OSError, UnicodeDecodeError):
        return ""


def write_private(path: Path, content: bytes) -> None:
    """Write `content` atomically to a file that only the current user can read."""

    def write(temporary: Path) -> None:
        with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123
            file.write(content)

    replace_file(path, write)


def write_json(path: Path, content: Any) -> None:
    """Write `content` atomically as JSON."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def fingerprint(*paths: Path) -> str:
    """Hash of the contents of files: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
