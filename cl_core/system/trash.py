"""Folders that were removed and can be brought back for an hour."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

from cl_core.errors import UserError, quoted

REMOVED = ".removed"  # folder beside those that were removed
RESTORABLE_S = 3600.0


def remove_folder(folder: Path) -> None:
    """Move a folder aside, and delete what was removed more than `RESTORABLE_S` ago.

    Raises:
        UserError: it cannot be moved.
    """
    aside = folder.parent / REMOVED
    for old in aside.glob("*"):
        with contextlib.suppress(OSError):
            if old.name == folder.name or time.time() - old.stat().st_ctime > RESTORABLE_S:
                shutil.rmtree(old, ignore_errors=True)
    _move(folder, aside / folder.name)


def restore_folder(folder: Path) -> None:
    """Bring back a folder that was removed.

    Raises:
        UserError: it is gone, or there is another one of this name.
    """
    removed = folder.parent / REMOVED / folder.name
    if not removed.is_dir() or folder.exists():
        raise UserError("system.not_restored", name=quoted(folder.name))
    _move(removed, folder)


def delete_removed(folder: Path) -> None:
    """Delete a folder that was removed, for good."""
    shutil.rmtree(folder.parent / REMOVED / folder.name, ignore_errors=True)


def _move(folder: Path, place: Path) -> None:
    try:
        place.parent.mkdir(exist_ok=True)
        folder.replace(place)  # sets the time of the change, which `remove_folder` reads
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError("system.not_written", path=place.parent, reason=reason) from None
