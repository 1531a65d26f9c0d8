"""Limits of disk, memory and time for visitors of a shared machine."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from cl_core.data.imported import imported_names, imported_owner, remove_expired
from cl_core.errors import UserError
from cl_core.hub.fetch import LARGEST
from cl_core.networks.encoders.registry import ENCODERS
from cl_core.runs.config import RunConfig
from cl_core.runs.folder import RunFolder
from cl_core.runs.hub_cache import pulled_dir
from cl_core.system.files import OWNER, owner_of
from cl_core.system.paths import encoder_runs_dir, trained_dir
from cl_core.ui.access import Access

LARGEST_MODEL, ALL_MODELS = 400_000_000, 5_000_000_000  # bytes of one imported model, and of all models together
MOST_RUNS, MOST_DATASETS = 10, 3  # of one visitor
TURN_S = 900.0  # then another visitor's run may start
# Of a run; its memory is bounded everywhere.
MOST = {"projection_dim": 512, "projection_hidden": 2048, "snapshots": 24}


def turn_s(access: Access) -> float | None:
    """Seconds of work for one visitor; None without a limit."""
    return TURN_S if access.strangers else None


def check_room(access: Access) -> int:
    """Bytes that may be fetched.

    Raises:
        UserError: strangers use this app, and the models take too much space.
    """
    if not access.strangers:
        return LARGEST
    places = (pulled_dir(), encoder_runs_dir(), trained_dir())
    # Links within the client's layout point to files that are counted where they are.
    taken = sum(f.stat().st_size for place in places for f in place.rglob("*") if f.is_file() and not f.is_symlink())
    if taken > ALL_MODELS:
        raise UserError("models.full")
    return LARGEST_MODEL


def check_runs(access: Access, visitor: str) -> None:
    """Check that a visitor may start another run.

    Raises:
        UserError: strangers use this app, and this visitor has too many runs.
    """
    if access.strangers and sum(owner_of(file.parent) == visitor for file in trained_dir().glob(f"*/{OWNER}")) >= MOST_RUNS:
        raise UserError("access.many_runs", most=MOST_RUNS)


def check_datasets(access: Access, visitor: str) -> None:
    """Check that a visitor may import another data set.

    Raises:
        UserError: strangers use this app, and this visitor has too many data sets.
    """
    if access.strangers and sum(imported_owner(name) == visitor for name in imported_names(visitor)) >= MOST_DATASETS:
        raise UserError("images.many", most=MOST_DATASETS)


def check_comparisons(access: Access, visitor: str, root: Path) -> None:
    """Check that a visitor may start another comparison of methods.

    Raises:
        UserError: strangers use this app, and this visitor has too many below `root`.
    """
    if access.strangers and sum(owner_of(file.parent) == visitor for file in root.glob(f"*/{OWNER}")) >= MOST_RUNS:
        raise UserError("contest.many", most=MOST_RUNS)


def remove_outdated(hours: float) -> None:
    """Remove visitors' images that were imported more than `hours` ago, and the runs that were trained on them."""
    gone = set(remove_expired(3600 * hours))
    for folder in [RunFolder(file.parent) for file in trained_dir().glob(f"*/{OWNER}")] if gone else []:
        with contextlib.suppress(UserError):
            if folder.read_record().config.dataset in gone and not folder.is_claimed():
                shutil.rmtree(folder.path, ignore_errors=True)


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
    for name, most in MOST.items():
        if getattr(config, name) > most:
            raise UserError("train.too_much", name=name, most=f"{most:,}")
