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

BLOCK_BYTES = {"cpu": 2**20}  # of one block of similarities: on the CPU it fits into the cache of a core
LARGE_BLOCK_BYTES = 2**26  # on other devices it is large enough for full utilization
BLOCKWISE_FROM = 1024  # number of views from which blocks are faster than the whole matrix
SAFE_EXPONENT = 80.0  # exp(-80) is still a normal float32

# (rows, columns) -> (R, C) bool, true where a pair is left out; symmetric. Pairs of a view with itself are always left out.
LeftOut = Callable[[slice, slice], Tensor]


def blockwise_pays(views: int) -> bool:
    """Whether the loss of a batch of so many views is computed block by block."""
    return views >= BLOCKWISE_FROM


def block_side(z: Tensor) -> int:
    """Rows and columns of one block of similarities of z."""
    size = BLOCK_BYTES.get(z.device.type, LARGE_BLOCK_BYTES)
    return max(1, int((size / z.dtype.itemsize) ** 0.5))


def _blocks(z: Tensor) -> Iterator[tuple[slice, slice]]:
    """The upper triangle of the matrix of all pairs of z (M, D), in blocks."""
    side = block_side(z)
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


def _whole(z: Tensor, temperature: float, left_out: LeftOut | None) -> Tensor:
    """`pair_logsumexp` with the matrix of all pairs, for autograd."""
    everything = slice(0, len(z))
    excluded = torch.eye(len(z), dtype=torch.bool, device=z.device)
    if left_out:
        excluded = excluded | left_out(everything, everything)
    # A row without pairs is -inf, and its gradient NaN: it is computed from zeros.
    empty = excluded.all(1, keepdim=True)
    logits = ((z / temperature) @ z.T).masked_fill(excluded & ~empty, -torch.inf).masked_fill(empty, 0)
    return logits.logsumexp(1).masked_fill(empty[:, 0], -torch.inf)


class _PairLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(z: Tensor, temperature: float, bound: float, left_out: LeftOut | None) -> Tensor:
        if 2 * bound <= SAFE_EXPONENT:
            sums = z.new_zeros(len(z))
            for rows, columns in _blocks(z):
                terms = _logits(z, rows, columns, temperature, left_out).sub_(bound).exp_()
                sums[rows] += terms.sum(1)
                if rows != columns:
                    sums[columns] += terms.sum(0)
            return sums.log() + bound
        result = z.new_full((len(z),), -torch.inf)
        for rows, columns in _blocks(z):
            logits = _logits(z, rows, columns, temperature, left_out)
            result[rows] = torch.logaddexp(result[rows], logits.logsumexp(1))
            if rows != columns:
                result[columns] = torch.logaddexp(result[columns], logits.logsumexp(0))
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, float, LeftOut | None], output: Tensor) -> None:
        z, ctx.temperature, _, ctx.left_out = inputs
        ctx.save_for_backward(z, output)

    @staticmethod
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor, None, None, None]:
        z, result = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: the gradient is differentiated in turn
            with torch.enable_grad():
                whole = _whole(z, ctx.temperature, ctx.left_out)
                (gradient,) = torch.autograd.grad(whole, z, weight, create_graph=True)
            return gradient, None, None, None
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
        return gradient / ctx.temperature, None, None, None


def pair_logsumexp(z: Tensor, temperature: float | Tensor, left_out: LeftOut | None = None, normalized: bool = True) -> Tensor:
    """log of the sum over j of exp(z_i . z_j / temperature), over the pairs (i, j) that are not left out; j != i.

    First derivatives by z and by a tensor `temperature` take the memory of one block, second derivatives
    (`create_graph=True`) that of the whole matrix.

    Args:
        z: (M, D) float32 or float64.
        temperature: > 0; as a tensor (), it gets its gradient.
        normalized: whether the rows of z have length 1.

    Returns:
        (M,), -inf where a row has no pair.
    """
    if isinstance(temperature, Tensor):
        # The gradient of the temperature comes through the embeddings: z_i . z_j / t is a product of scaled rows.
        scaled = z * temperature.rsqrt()
        return _PairLogSumExp.apply(scaled, 1.0, 1 / float(temperature) if normalized else torch.inf, left_out)
    # Cosines are at most 1, so 1 / t bounds the logits of rows and columns.
    return _PairLogSumExp.apply(z, temperature, 1 / temperature if normalized else torch.inf, left_out)
