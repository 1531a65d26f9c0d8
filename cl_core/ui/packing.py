"""Numbers for the browser."""

from __future__ import annotations

import base64

import numpy as np
from torch import Tensor

WHOLE = 32767


def whole_numbers(points: Tensor) -> Tensor:
    """Coordinates (..., 2) as integers around the center: a screen has fewer pixels than 16 bits have values."""
    flat = points.reshape(-1, 2)
    low, high = flat.amin(0), flat.amax(0)
    half = float((high - low).max()) / 2
    return ((points - (low + high) / 2) / max(half, 1e-12) * WHOLE).round()


def packed(values: Tensor, kind: type[np.generic]) -> str:
    """Numbers as base64, little-endian."""
    return base64.b64encode(np.ascontiguousarray(values.numpy()).astype(kind).tobytes()).decode()
