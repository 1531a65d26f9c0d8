"""Random generators seeded by position: no generator state is saved, and measuring between steps changes nothing."""

from __future__ import annotations

import torch

EPOCH_STREAM, STEP_STREAM = 0, 1


def seeded_generator(device: torch.device, seed: int, stream: int, position: int) -> torch.Generator:
    """A generator for each stream (0 or 1) and position < 2**31 of a run with seed < 2**31.

    torch's CPU generator uses only the low 32 bits of its seed, so the run's seed is mixed into those by an odd factor:
    two seeds never share a generator at the same position.
    """
    low = ((stream << 31) | position) ^ (seed * 0x9E3779B1 & 0xFFFFFFFF)
    return torch.Generator(device).manual_seed((seed << 32) | low)
