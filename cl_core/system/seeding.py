"""torch's global generator, seeded for a while."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

_lock = threading.RLock()  # threads share the generator: one would draw another's numbers


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator of the CPU; afterwards it is as it was. For networks, whose weights torch draws from it."""
    with _lock, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
