"""What visitors may ask of a machine that is not theirs: its disk, memory and time belong to all of them."""

from __future__ import annotations

from cl_core.errors import UserError
from cl_core.hub.fetch import LARGEST
from cl_core.networks.encoders.registry import ENCODERS
from cl_core.runs.config import RunConfig
from cl_core.runs.folder import OWNER
from cl_core.runs.hub_cache import pulled_dir
from cl_core.system.paths import encoder_runs_dir, trained_dir
from cl_core.ui.access import Access, owner_of

LARGEST_MODEL, ALL_MODELS = 400_000_000, 5_000_000_000  # bytes that one brought model and all models together may take
MOST_RUNS = 10  # of one visitor
TURN_S = 900.0  # then another visitor's may begin
# Of a training; its memory is bounded wherever it runs.
MOST = {"projection_dim": 512, "projection_hidden": 2048, "snapshots": 24}


def turn_s(access: Access) -> float | None:
    """Seconds that one visitor's work may take; None where visitors are no strangers."""
    return TURN_S if access.strangers else None


def check_room(access: Access) -> int:
    """Bytes that may be fetched.

    Raises:
        UserError: strangers visit this app, and brought enough already.
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
    """Whether a visitor may begin another run.

    Raises:
        UserError: strangers visit this app, and this one has enough runs.
    """
    if access.strangers and sum(owner_of(file.parent) == visitor for file in trained_dir().glob(f"*/{OWNER}")) >= MOST_RUNS:
        raise UserError("access.many_runs", most=MOST_RUNS)


def check_training(access: Access, config: RunConfig) -> None:
    """Whether a visitor may train with these settings.

    Raises:
        UserError: strangers visit this app, and they would take too much of it.
    """
    if not access.strangers:
        return
    check_room(access)
    if config.encoder not in ENCODERS or config.compile:
        raise UserError("train.only_own", encoders=", ".join(ENCODERS))
    for name, most in MOST.items():
        if getattr(config, name) > most:
            raise UserError("train.too_much", name=name, most=f"{most:,}")
