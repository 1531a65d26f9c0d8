"""log-sum-exp over all pairs of a batch without their matrix: exact, forward and backward, block by block.

A batch of M views has M x M similarities; at M = 65,536 they take 17 GB, several times that with autograd. Here only one
block of them is in memory at a time. The matrix is symmetric, so one triangle of blocks suffices. The backward pass
computes each block again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK_BYTES = {"cpu": 2**20}  # of one block of similarities: on the CPU it fits into the cache of a core
LARGE_BLOCK_BYTES = 2**26  # on other devices it is large enough for full utilization
BLOCKWISE_FROM = 1024  # number of views from which blocks are faster than the whole matrix
SAFE_EXPONENT = 80.0  # exp(-80) is still a normal float32

# (rows, columns) -> (R, C) bool, true where a pair is left out; symmetric. Pairs of a view with itself are always left out.
LeftOut = Callable[[slice, slice], Tensor]


def blockwise_pays(views: int) -> bool:
    """Whether the loss of a batch of so many views is computed block by block."""
    return views >= BLOCKWISE_FROM


def _blocks(z: Tensor) -> Iterator[tuple[slice, slice]]:
    """The upper triangle of the matrix of all pairs of z (M, D), in blocks."""
    size = BLOCK_BYTES.get(z.device.type, LARGE_BLOCK_BYTES)
    side = max(1, int((size / z.dtype.itemsize) ** 0.5))
    edges = [*range(0, len(z), side), len(z)]
    parts = [slice(a, b) for a, b in pairwise(edges)]
    for i, rows in enumerate(parts):
        for columns in parts[i:]:
            yield rows, columns


def _logits(z: Tensor, rows: slice, columns: slice, temperature: float, left_out: LeftOut | None) -> Tensor:
    logits = (z[rows] / temperature) @ z[columns].T
    if rows == columns:
        logits.fill_diagonal_(-torch.inf)
    return logits.masked_fill_(left_out(rows, columns), -torch.inf) if left_out else logits


class _PairLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, temperature: float, left_out: LeftOut | None) -> Tensor:
        if 2 / temperature <= SAFE_EXPONENT:
            # Cosines are at most 1, so 1 / t bounds the logits of rows and columns.
            sums = z.new_zeros(len(z))
            for rows, columns in _blocks(z):
                terms = _logits(z, rows, columns, temperature, left_out).sub_(1 / temperature).exp_()
                sums[rows] += terms.sum(1)
                if rows != columns:
                    sums[columns] += terms.sum(0)
            result = sums.log() + 1 / temperature
        else:
            result = z.new_full((len(z),), -torch.inf)
            for rows, columns in _blocks(z):
                logits = _logits(z, rows, columns, temperature, left_out)
                result[rows] = torch.logaddexp(result[rows], logits.logsumexp(1))
                if rows != columns:
                    result[columns] = torch.logaddexp(result[columns], logits.logsumexp(0))
        ctx.save_for_backward(z, result)
        ctx.temperature, ctx.left_out = temperature, left_out
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor, None, None]:
        z, result = ctx.saved_tensors
        # A row without pairs is -inf; it has no probabilities, and its weight must be 0.
        result = result.masked_fill(result.isinf(), 0)
        gradient = torch.zeros_like(z)
        for rows, columns in _blocks(z):
            logits = _logits(z, rows, columns, ctx.temperature, ctx.left_out)
            pull = (logits - result[rows, None]).exp_().mul_(weight[rows, None])
            if rows != columns:
                pull += logits.sub_(result[None, columns]).exp_().mul_(weight[None, columns])
                gradient[columns] += pull.T @ z[rows]
                gradient[rows] += pull @ z[columns]
            else:
                gradient[rows] += (pull + pull.T) @ z[rows]
        return gradient / ctx.temperature, None, None


def pair_logsumexp(z: Tensor, temperature: float, left_out: LeftOut | None = None) -> Tensor:
    """log of the sum over j of exp(z_i . z_j / temperature), over the pairs (i, j) that are not left out; j != i.

    Args:
        z: (M, D) float32 or float64, rows of length 1.
        temperature: > 0.

    Returns:
        (M,), -inf where a row has no pair.
    """
    return _PairLogSumExp.apply(z, temperature, left_out)
