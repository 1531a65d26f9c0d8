"""Shared by the losses: similarities in full precision, masks, and checks of arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def without_autocast(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator that disables autocast, which would compute logits in half precision, with two digits less."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        first = next(value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        with torch.autocast(first.device.type, enabled=False):
            return function(*args, **kwargs)

    return wrapped


def at_least_float32(values: Tensor) -> Tensor:
    """Convert half precision, which would overflow or round logits, to float32; float64 stays."""
    return values if values.dtype == torch.float64 else values.float()


def check_temperature(temperature: float | Tensor) -> None:
    """Raise ValueError unless the temperature is above 0; on an accelerator it is not read, as the host would wait for it."""
    if isinstance(temperature, Tensor):
        if temperature.numel() != 1:
            raise ValueError(f"temperature must be one number, not a tensor of shape {tuple(temperature.shape)}")
        if temperature.device.type != "cpu":
            return
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {float(temperature)}")


def check_count(count: int, least: int, what: str) -> None:
    """Raise ValueError unless there are at least `least` of something."""
    if count < least:
        raise ValueError(f"{what} must be at least {least}, not {count}")


def unit_rows(z: Tensor) -> Tensor:
    """Rows of z (M, D) scaled to length 1, in float32 or float64; rows of zeros stay zeros, with a finite gradient.

    `F.normalize` gives them a gradient of 1e12, which is infinite in half precision.
    """
    z = at_least_float32(z)
    length = torch.linalg.vector_norm(z, dim=1, keepdim=True)
    return z / torch.where(length > 0, length, 1)


def similarities(a: Tensor, b: Tensor, normalize: bool = True) -> Tensor:
    """Cosines, or dot products, of the rows of a (M, D) and b (C, D): (M, C), float32 or float64."""
    prepare = unit_rows if normalize else at_least_float32
    return prepare(a) @ prepare(b).T


def self_pairs(count: int, device: torch.device | None = None) -> Tensor:
    """(M, M) bool, true on the diagonal."""
    return torch.eye(count, dtype=torch.bool, device=device)


def masked(logits: Tensor, left_out: Tensor) -> Tensor:
    """Logits with -inf where `left_out`, which is exact in every dtype and passes no gradient."""
    return logits.masked_fill(left_out, -torch.inf)


def check_same_shape(z1: Tensor, z2: Tensor) -> None:
    """Raise ValueError unless both are (N, D) with the same N >= 1."""
    if z1.shape != z2.shape or z1.dim() != 2 or len(z1) == 0:
        raise ValueError(f"both views need the same shape (N, D) with N >= 1, not {tuple(z1.shape)} and {tuple(z2.shape)}")
