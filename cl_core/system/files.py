"""Writing files so that a crash, a kill or a full disk leaves the old content or the new, never half."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from cl_core.errors import UserError, quoted


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to the disk, rename it.

    Raises:
        UserError: the disk is full, or the folder may not be written. Libraries that write have errors of their own for it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or quoted(str(error))
        raise UserError(
            f"{path} could not be written ({reason}); free some space or choose another folder; what was there is kept."
        ) from None


def write_bytes(path: Path, content: bytes) -> None:
    """`replace_file` with `content`."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    replace_file(path, write)


def write_private(path: Path, content: bytes) -> None:
    """`replace_file` with `content` that only this user may read."""

    def write(temporary: Path) -> None:
        with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123
            file.write(content)

    replace_file(path, write)


def write_json(path: Path, content: Any) -> None:
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def fingerprint(*paths: Path) -> str:
    """Short digest of the files' contents."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
