"""Sigmoid loss over pairs (SigLIP, Zhai et al. 2023): for each pair of views, whether both show the same image.

Each pair is a binary classification of its own: there is no sum over a row, and any block of pairs can be computed alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cl_core.losses.blockwise import block_side
from cl_core.losses.similarity import check_count, check_same_shape, check_temperature, unit_rows, without_autocast


@without_autocast
def sigmoid_loss(z1: Tensor, z2: Tensor, temperature: float | Tensor = 0.1, bias: float | Tensor = -10.0) -> Tensor:
    """Sum over j, mean over i, of -log sigmoid(y (cosine of z1_i and z2_j / temperature + bias)); y = 1 if i = j, else -1.

    The matrix of all pairs is computed block by block, forward and backward, so that memory grows with N and not with N^2.

    Args:
        z1, z2: embeddings of the first and second view of N images, (N, D), any floating dtype; rows need not be normalized.
        temperature: > 0. A tensor () is learned like a weight. The default is the paper's at the start of training.
        bias: added to each logit; with many negatives it keeps the first steps small. A tensor () is learned like a weight.

    Returns:
        Scalar, float32 (float64 for float64 input), >= 0; see `sigmoid_chance_level`.

    Raises:
        ValueError: shapes differ or are not (N, D), or the temperature is not above 0.
    """
    check_temperature(temperature)
    check_same_shape(z1, z2)
    first, second = unit_rows(z1), unit_rows(z2)
    # The temperature's gradient comes through the rows, the bias's through a term of its own.
    rows = first / temperature
    constant = torch.as_tensor(bias, dtype=first.dtype, device=first.device)
    positive = (rows * second).sum(1) + constant
    # Every pair counts as a negative, then the positives are corrected: -log s(x) + log s(-x) = -x.
    return (_PairSoftplus.apply(rows, second, constant) - positive.sum()) / len(first)


class _PairSoftplus(torch.autograd.Function):
    """Sum over all pairs of log(1 + exp(a_i . b_j + bias)), which is -log sigmoid of a negative's logit."""

    @staticmethod
    def forward(a: Tensor, b: Tensor, bias: Tensor) -> Tensor:
        total = a.new_zeros((), dtype=_sum_dtype(a))
        for rows, columns in _blocks(a, b):
            total += F.softplus(torch.addmm(bias, a[rows], b[columns].T)).sum()
        return total.to(a.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, b, bias = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: the gradient is differentiated in turn
            wanted = [value for value, needed in zip((a, b, bias), ctx.needs_input_grad, strict=True) if needed]
            with torch.enable_grad():
                whole = F.softplus(a @ b.T + bias).sum()
                found = iter(torch.autograd.grad(whole, wanted, weight, create_graph=True))
            return tuple(next(found) if needed else None for needed in ctx.needs_input_grad)  # type: ignore[return-value]
        of_a, of_b, of_bias = torch.zeros_like(a), torch.zeros_like(b), torch.zeros_like(bias, dtype=_sum_dtype(a))
        for rows, columns in _blocks(a, b):
            push = torch.addmm(bias, a[rows], b[columns].T).sigmoid_()
            of_a[rows] += push @ b[columns]
            of_b[columns] += push.T @ a[rows]
            of_bias += push.sum()
        return of_a * weight, of_b * weight, of_bias.to(bias.dtype) * weight


def _sum_dtype(values: Tensor) -> torch.dtype:
    """Of sums over a large batch, which would lose digits in float32; Apple's GPU has nothing else."""
    return values.dtype if values.device.type == "mps" else torch.float64


def _blocks(a: Tensor, b: Tensor) -> Iterator[tuple[slice, slice]]:
    side = block_side(a)
    for row in range(0, len(a), side):
        for column in range(0, len(b), side):
            yield slice(row, row + side), slice(column, column + side)


def sigmoid_chance_level(pairs: int) -> float:
    """The least loss of a model with equal similarities for all N images: log N + (N - 1) log(N / (N - 1)), in nats; N >= 1.

    Its logit is that of the fraction of positives, 1 / N.
    """
    check_count(pairs, 1, "pairs")
    return math.log(pairs) + (pairs - 1) * math.log(pairs / (pairs - 1)) if pairs > 1 else 0.0
