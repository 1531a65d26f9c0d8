"""Generators that know their place: nothing random has to be saved, and measuring in between changes nothing."""

from __future__ import annotations

import torch

EPOCH_STREAM, STEP_STREAM = 0, 1


def seeded_generator(device: torch.device, seed: int, stream: int, position: int) -> torch.Generator:
    """A generator of its own for every stream < 2 and position < 2**31 of a run with this seed < 2**31.

    On the CPU torch looks at the low 32 bits of its seed alone, so the seed is mixed into those too, by
    an odd factor: two seeds never share a generator at the same place.
    """
    low = ((stream << 31) | position) ^ (seed * 0x9E3779B1 & 0xFFFFFFFF)
    return torch.Generator(device).manual_seed((seed << 32) | low)
