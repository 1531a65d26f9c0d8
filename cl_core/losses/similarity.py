"""What the losses share: cosines in full precision, masks, and the check of a temperature."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def without_autocast(function: Callable[P, R]) -> Callable[P, R]:
    """Autocast would run a loss's products in half precision, which costs two digits of each logit."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        first = next(value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        with torch.autocast(first.device.type, enabled=False):
            return function(*args, **kwargs)

    return wrapped


def at_least_float32(values: Tensor) -> Tensor:
    """float64 stays, everything narrower becomes float32: half precision would overflow or round logits."""
    return values if values.dtype == torch.float64 else values.float()


def check_temperature(temperature: float) -> None:
    """Raises ValueError unless the temperature is above 0 (and a number)."""
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")


def similarities(a: Tensor, b: Tensor, normalize: bool = True) -> Tensor:
    """Cosines (or dot products) of the rows of a (M, D) and b (C, D): (M, C), float32 or float64."""
    a, b = at_least_float32(a), at_least_float32(b)
    if normalize:
        a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
    return a @ b.T


def self_pairs(count: int, device: torch.device | None = None) -> Tensor:
    """(M, M) bool, true on the diagonal."""
    return torch.eye(count, dtype=torch.bool, device=device)


def masked(logits: Tensor, left_out: Tensor) -> Tensor:
    """Logits with -inf where `left_out`: exact in every dtype, and no gradient flows through it."""
    return logits.masked_fill(left_out, -torch.inf)


def same_shape(z1: Tensor, z2: Tensor) -> None:
    """Raises ValueError unless both are (N, D) with N >= 1."""
    if z1.shape != z2.shape or z1.dim() != 2 or len(z1) == 0:
        raise ValueError(f"both views need the same shape (N, D) with N >= 1, not {tuple(z1.shape)} and {tuple(z2.shape)}")
