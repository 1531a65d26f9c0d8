"""What visitors of a Space may ask of it: its disk, memory and time belong to all of them."""

from __future__ import annotations

from cl_core.encoders import ENCODERS
from cl_core.errors import UserError
from cl_core.host import on_space
from cl_core.hub.fetch import LARGEST
from cl_core.hub.pulled import pulled_dir
from cl_core.paths import encoder_runs_dir, trained_dir
from cl_core.training.config import RunConfig
from cl_core.ui.text import text

LARGEST_MODEL, ALL_MODELS = 400_000_000, 5_000_000_000  # bytes that one brought model and all models together may take
TURN_S = 900.0  # then another visitor's may begin
# Of a training; its memory is bounded wherever it runs.
MOST = {"projection_dim": 512, "projection_hidden": 2048, "snapshots": 24}


def turn_s() -> float | None:
    """Seconds that one visitor's work may take; None where there are no visitors."""
    return TURN_S if on_space() else None


def check_room() -> int:
    """Bytes that may be fetched.

    Raises:
        UserError: this is a Space whose visitors brought enough already.
    """
    if not on_space():
        return LARGEST
    places = (pulled_dir(), encoder_runs_dir(), trained_dir())
    # Links within the client's layout point to files that are counted where they are.
    taken = sum(f.stat().st_size for place in places for f in place.rglob("*") if f.is_file() and not f.is_symlink())
    if taken > ALL_MODELS:
        raise UserError(text("models.full"))
    return LARGEST_MODEL


def check_training(config: RunConfig) -> None:
    """Whether a visitor may train with these settings.

    Raises:
        UserError: this is a Space, and they would take too much of it.
    """
    if not on_space():
        return
    check_room()
    if config.encoder not in ENCODERS or config.compile:
        raise UserError(text("train.only_own", encoders=", ".join(ENCODERS)))
    for name, most in MOST.items():
        if getattr(config, name) > most:
            raise UserError(text("train.too_much", name=name, most=f"{most:,}"))
