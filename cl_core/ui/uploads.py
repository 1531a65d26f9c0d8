"""Uploaded files: a folder that is removed when the app ends, and the check that a file of an event lies in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout
from gradio.utils import get_upload_folder

from cl_core.errors import UserError
from cl_core.system.files import remove_oldest
from cl_core.system.paths import cache_dir

CUT_OFF_S = 60.0  # since the last write: the upload was cut off
MAX_BYTES = 1_000_000_000  # of all uploads; the oldest are removed first, but none younger than `CUT_OFF_S`
STARTS = "starts"  # folder of the workspaces
ABANDONED_S = 24 * 3600.0  # then an upload that waits for its import is removed


def uploads_dir() -> Path:
    """Folder of Gradio's uploads."""
    return Path(get_upload_folder()).resolve()


def received(path: str) -> Path:
    """The file of an event, if a visitor uploaded it to this app.

    Raises:
        UserError: it lies elsewhere or is gone; the message does not tell which.
    """
    folder = uploads_dir()
    try:
        file = Path(path).resolve()
        if folder in file.parents and file.is_file():
            return file
    except (OSError, ValueError):  # a name too long, with a zero byte, or a circle of links
        pass
    raise UserError("access.no_upload")


def imports_dir() -> Path:
    """Folder of uploads that are being imported: in the workspace, which goes with this process."""
    workspace = uploads_dir().parent
    return (workspace if workspace.parent.name == STARTS else cache_dir()) / "imports"


def set_aside(file: Path) -> Path:
    """Move an upload out of the reach of `sweep`, and remove those that were left by a program that ended.

    Raises:
        UserError: it cannot be moved.
    """
    folder, now = imports_dir(), time.time()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if now - old.stat().st_mtime > ABANDONED_S:
                old.unlink(missing_ok=True)
        place = folder / os.urandom(8).hex()
        shutil.move(file, place)
    except OSError as error:
        raise UserError("system.not_written", path=folder, reason=error.strerror or type(error).__name__) from None
    return place


class Workspace:
    """A folder for the files of this process; removes the folders of processes that were killed.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self) -> None:
        try:
            self._make(cache_dir() / STARTS)
        except OSError:  # a full or read-only cache
            self._make(Path(tempfile.mkdtemp(prefix="contrastive-explorer-")) / STARTS)

    def _make(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        remove_abandoned(root)
        self.path = root / f"{os.getpid()}-{os.urandom(4).hex()}"
        self._lock = FileLock(root / f"{self.path.name}.lock")
        self._lock.acquire(timeout=0)
        self.uploads.mkdir(parents=True, mode=0o700)

    @property
    def uploads(self) -> Path:
        return self.path / "uploads"

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()
        with contextlib.suppress(OSError):
            Path(self._lock.lock_file).unlink()


def remove_abandoned(root: Path) -> None:
    """Remove the folders below `root` of processes that have ended: nobody holds the lock beside them."""
    for folder in [each for each in root.iterdir() if each.is_dir()]:
        lock = FileLock(root / f"{folder.name}.lock")
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()


def sweep(folder: Path, now: float) -> int:
    """Remove uploads that were cut off, and the oldest beyond `MAX_BYTES`; returns their number. now: Unix time in seconds.

    Gradio writes an upload into `folder` itself and moves it into a folder of its own when it is whole.
    """
    gone, whole = 0, []
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            if entry.is_dir():
                whole += [(file.stat().st_mtime, file.stat().st_size, file) for file in entry.rglob("*") if file.is_file()]
            elif now - entry.stat().st_mtime > CUT_OFF_S:
                entry.unlink(missing_ok=True)
                gone += 1
    return gone + remove_oldest(whole, MAX_BYTES, now - CUT_OFF_S)
