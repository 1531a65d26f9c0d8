"""Generators that know their place: nothing random has to be saved, and measuring in between changes nothing."""

from __future__ import annotations

import torch

EPOCH_STREAM, STEP_STREAM = 0, 1


def seeded_generator(device: torch.device, seed: int, stream: int, position: int) -> torch.Generator:
    """A generator of its own for every (seed, stream, position) with seed < 2**31, stream < 2, position < 2**31."""
    return torch.Generator(device).manual_seed((seed << 32) | (stream << 31) | position)
