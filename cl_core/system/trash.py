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
    """Move a folder aside; `purge` deletes it later.

    Raises:
        UserError: it cannot be moved.
    """
    delete_removed(folder)  # an earlier one of this name
    _move(folder, folder.parent / REMOVED / folder.name)


def purge(root: Path) -> list[str]:
    """Delete what was removed from `root` more than `RESTORABLE_S` ago; returns the names."""
    gone = []
    for old in (root / REMOVED).glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_ctime > RESTORABLE_S:
                shutil.rmtree(old, ignore_errors=True)
                gone.append(old.name)
    return gone


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
        folder.replace(place)  # sets the time of the change, which `purge` reads
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError("system.not_written", path=place.parent, reason=reason) from None
