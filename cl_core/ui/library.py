"""What the views look things up in: models and galleries, opened once and shared, never changed.

Everything here is read only, so one copy serves every visitor.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from functools import cache, wraps
from typing import Literal, ParamSpec, TypeVar

from cl_core.data.catalog import Dataset, load_dataset
from cl_core.retrieval import Gallery, pixel_gallery, run_gallery
from cl_core.runs import UNTRAINED_SUFFIX, Run, find_run, load_run, shipped_runs, untrained_like

Space = Literal["trained", "untrained", "pixels"]
SPACES: tuple[Space, ...] = ("trained", "untrained", "pixels")
P = ParamSpec("P")
R = TypeVar("R")


def _once(function: Callable[P, R]) -> Callable[P, R]:
    """Keep results; of visitors who ask for the same thing one computes and the others wait."""
    kept = cache(function)
    locks: defaultdict[tuple[object, ...], threading.Lock] = defaultdict(threading.Lock)

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with locks[args]:
            return kept(*args, **kwargs)  # type: ignore[arg-type]

    return wrapped


@cache
def checkpoint_names() -> list[str]:
    """Shipped trained checkpoints, by name."""
    return [folder.name for folder in shipped_runs() if not folder.name.endswith(UNTRAINED_SUFFIX)]


@_once
def run(name: str) -> Run:
    """A shipped checkpoint."""
    return load_run(name)


@_once
def untrained(name: str) -> Run:
    """The weights the checkpoint `name` started from."""
    return untrained_like(run(name))


@_once
def dataset(name: str) -> Dataset:
    """The data set the checkpoint `name` learned from."""
    return load_dataset(find_run(name).read_record().config.dataset)


@_once
def gallery(name: str, space: Space) -> Gallery:
    """The checkpoint's data set in one of three spaces; the first call of each computes."""
    if space == "pixels":
        return pixel_gallery(dataset(name), run(name).size)
    return run_gallery(run(name) if space == "trained" else untrained(name), dataset(name))


def warm_up() -> None:
    """Open everything a first visitor would wait for, what is asked for first first."""
    for name in checkpoint_names():
        for space in SPACES:
            gallery(name, space)
