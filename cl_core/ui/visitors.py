"""Limits of disk, memory and time for visitors of a shared machine."""

from __future__ import annotations

import contextlib
import math
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from cl_core.data.imported import imported_dir, imported_names, imported_owner, remove_expired
from cl_core.errors import UserError
from cl_core.hub.fetch import MAX_DOWNLOAD
from cl_core.imports.jobs import ImportJobs
from cl_core.networks.encoders.registry import ENCODERS
from cl_core.runs.config import RunConfig
from cl_core.runs.folder import COMPARISONS, WAITING, RunFolder
from cl_core.runs.hub_cache import pulled_dir
from cl_core.system.files import OWNER, modified_at, owner_of, remove_oldest, total_size
from cl_core.system.paths import cache_dir, encoder_runs_dir, trained_dir
from cl_core.system.trash import REMOVED, purge
from cl_core.ui.access import Access

MAX_MODEL, ALL_MODELS = 400_000_000, 5_000_000_000  # bytes of one imported model, and of all models together
MAX_RUNS, MAX_WAITING, MAX_DATASETS = 10, 2, 3  # of one visitor
ALL_IMAGES = 20_000_000_000  # bytes of all data sets together
ALL_IMPORTS = 20  # imports that wait or run
ALL_DERIVED = 5_000_000_000  # bytes of each folder in `DERIVED`; what was used least recently is removed first
ABANDONED_S = 3600.0  # since the last write: a temporary file of a process that was killed
DERIVED = ("features", "galleries", "projections", "sprites")  # folders of the cache with what is computed from images
PRIVATE = re.compile(r".+-[0-9a-f]{16}")  # the name of a visitor's data set, see `imports.jobs.new_name`
PRIVATE_RUN = re.compile(rf"({PRIVATE.pattern})-")  # begins the name of a run on it
TURN_S = 900.0  # then another visitor's run may start
# Of a run; its memory is bounded everywhere.
MAX_SETTINGS = {"projection_dim": 512, "projection_hidden": 2048, "snapshots": 24}


def turn_s(access: Access) -> float | None:
    """Seconds of work for one visitor; None without a limit."""
    return TURN_S if access.strangers else None


def check_room(access: Access) -> int:
    """Bytes that may be fetched.

    Raises:
        UserError: strangers use this app, and the models take too much space.
    """
    if not access.strangers:
        return MAX_DOWNLOAD
    if _size_of_models() > ALL_MODELS:
        raise UserError("models.full")
    return MAX_MODEL


def check_runs(access: Access, visitor: str) -> None:
    """Check that a visitor may start another run.

    Raises:
        UserError: strangers use this app, and this visitor has too many runs.
    """
    if access.strangers and sum(owner_of(file.parent) == visitor for file in trained_dir().glob(f"*/{OWNER}")) >= MAX_RUNS:
        raise UserError("access.many_runs", most=MAX_RUNS)


def check_waiting(access: Access, visitor: str, waiting: Sequence[Path]) -> None:
    """Check that a visitor may let another run wait.

    Raises:
        UserError: strangers use this app, and too many runs of this visitor wait.
    """
    if access.strangers and sum(owner_of(path) == visitor for path in waiting) >= MAX_WAITING:
        raise UserError("access.many_waiting", most=MAX_WAITING)


def check_datasets(access: Access, visitor: str, imports: ImportJobs) -> None:
    """Check that a visitor may import another data set.

    Raises:
        UserError: strangers use this app, and this visitor has too many data sets.
    """
    if not access.strangers:
        return
    if len(imports.names()) >= ALL_IMPORTS:  # a file of each waits, too
        raise UserError("images.busy")
    waiting = sum(job.active for job in imports.of(visitor))
    if waiting + sum(imported_owner(name) == visitor for name in imported_names(visitor)) >= MAX_DATASETS:
        raise UserError("images.many", most=MAX_DATASETS)
    if total_size(imported_dir().rglob("*.safetensors")) > ALL_IMAGES:
        raise UserError("images.full")


def check_comparisons(access: Access, visitor: str, root: Path) -> None:
    """Check that a visitor may start another comparison of methods.

    Raises:
        UserError: strangers use this app, and this visitor has too many below `root`.
    """
    if access.strangers and sum(owner_of(file.parent) == visitor for file in root.glob(f"*/{OWNER}")) >= MAX_RUNS:
        raise UserError("comparison.many", most=MAX_RUNS)


def clean_up(access: Access) -> None:
    """Delete what was removed a while ago and what killed processes left in the caches.

    Where strangers use the app, delete what the caches hold beyond `ALL_DERIVED`, their images after `keep_hours`, with the
    runs, comparisons, features, maps and sheets that were made of them, and where models fill their space, the oldest of
    their other runs of that age.
    """
    gone = set(purge(imported_dir()))
    purge(trained_dir())
    for kind in DERIVED:
        bound_folder(cache_dir() / kind, ALL_DERIVED if access.strangers else math.inf, time.time())
    if access.strangers:
        _free_models(3600 * access.options.keep_hours)
        seconds = 3600 * access.options.keep_hours
        gone |= set(remove_expired(seconds))
        for owner in (trained_dir() / COMPARISONS).glob(f"*/{OWNER}"):
            with contextlib.suppress(OSError):  # removed meanwhile
                if time.time() - owner.stat().st_mtime > seconds:
                    shutil.rmtree(owner.parent, ignore_errors=True)
        gone |= _without_images()  # a run that trained when its images went could not be deleted then
    for name in gone:
        if PRIVATE.fullmatch(name):
            _forget(name)


def bound_folder(folder: Path, most: float, now: float) -> None:
    """Delete files that a killed process left, and the least recently used ones beyond `most` bytes.

    Args:
        now: Unix time in seconds.
    """
    files = []
    for file in folder.glob("*"):
        with contextlib.suppress(OSError):  # removed meanwhile
            found = file.stat()
            if file.suffix == ".lock":
                continue  # somebody may hold it
            if file.suffix == ".tmp" and now - found.st_mtime > ABANDONED_S:
                file.unlink()
            elif file.is_file():
                files.append((max(found.st_atime, found.st_mtime), found.st_size, file))
    remove_oldest(files, most, now - ABANDONED_S)


def _free_models(seconds: float) -> None:
    """Where models fill their space, delete visitors' runs that nobody has changed for `seconds`, the oldest first."""
    taken = _size_of_models()
    if taken <= ALL_MODELS:
        return
    owned = [owner.parent for owner in trained_dir().glob(f"*/{OWNER}") if not (owner.parent / WAITING).exists()]
    by_age = sorted((modified_at(folder), total_size(folder.rglob("*")), folder) for folder in owned)
    if taken - sum(size for _, size, _ in by_age) > ALL_MODELS:
        return  # they are not what fills it
    for changed, size, folder in by_age:
        if taken <= ALL_MODELS or time.time() - changed < seconds:
            break
        if not RunFolder(folder).is_claimed():
            shutil.rmtree(folder, ignore_errors=True)
            taken -= size


def _size_of_models() -> int:
    places = (pulled_dir(), encoder_runs_dir(), trained_dir())
    # Links within the client's layout point to files that are counted where they are.
    return total_size(file for place in places for file in place.rglob("*"))


def _without_images() -> set[str]:
    """Visitors' data sets that are gone for good, by the runs on them that are left."""
    folder = imported_dir()
    kept = {each.name for each in (*folder.glob("*"), *folder.glob(f"{REMOVED}/*"))}
    used = (PRIVATE_RUN.match(file.parent.name) for file in trained_dir().glob(f"*/{OWNER}"))
    return {found[1] for found in used if found} - kept


def _forget(name: str) -> None:
    """Delete what was made of a visitor's images; no other file has such a name in its own."""
    made = [folder for kind in DERIVED for folder in (cache_dir() / kind).glob(f"*{name}*")]
    made += [*(trained_dir() / COMPARISONS).glob(f"{name}-*"), *trained_dir().glob(f"{name}-*")]
    for each in made:
        if each.is_dir() and not RunFolder(each).is_claimed():
            shutil.rmtree(each, ignore_errors=True)
        elif each.is_file():
            each.unlink(missing_ok=True)


def check_training(access: Access, config: RunConfig) -> None:
    """Check that a visitor may train with these settings.

    Raises:
        UserError: strangers use this app, and the run would take too much of the machine.
    """
    if not access.strangers:
        return
    check_room(access)
    if config.encoder not in ENCODERS or config.compile:
        raise UserError("train.only_own", encoders=", ".join(ENCODERS))
    for name, most in MAX_SETTINGS.items():
        if getattr(config, name) > most:
            raise UserError("train.too_much", name=name, most=f"{most:,}")
