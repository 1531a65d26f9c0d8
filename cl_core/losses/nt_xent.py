"""NT-Xent, the InfoNCE loss over the 2N views of a batch (SimCLR, Chen et al. 2020, eq. 1)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses.blockwise import blockwise_pays, pair_logsumexp
from cl_core.losses.similarity import (
    check_count,
    check_same_shape,
    check_temperature,
    masked,
    self_pairs,
    similarities,
    unit_rows,
    without_autocast,
)


def positive_index(pairs: int, device: torch.device | None = None) -> Tensor:
    """Row of each view's positive when views are stacked `[first views; second views]`: (2N,), int64."""
    return torch.arange(2 * pairs, device=device).roll(pairs)


def class_counts(labels: Tensor) -> Tensor:
    """How many of the labels (N,) are the same as each, itself included: (N,) int64."""
    _, index, counts = labels.unique(return_inverse=True, return_counts=True)
    return counts[index]


def false_negatives(labels: Tensor) -> Tensor:
    """Pairs of views of different images of one class, (2N, 2N) bool, views stacked `[first; second]`.

    Args:
        labels: (N,) of the images.
    """
    both = labels.repeat(2)
    image = torch.arange(len(labels), device=labels.device).repeat(2)
    return (both[:, None] == both[None]) & (image[:, None] != image[None])


@without_autocast
def nt_xent(z1: Tensor, z2: Tensor, temperature: float | Tensor = 0.5, labels: Tensor | None = None) -> Tensor:
    """Mean over all 2N views of -log softmax of the positive among the 2N - 1 other views.

    Args:
        z1, z2: embeddings of the first and second view of N images, (N, D), N >= 1; any floating
            dtype, rows need not be normalized.
        temperature: > 0; the loss is finite at any value. A tensor () is learned like a weight. The default is SimCLR's for
            CIFAR-10 (appendix B.9).
        labels: (N,); where given, `false_negatives` are left out of the denominator.

    Returns:
        Scalar, float32 (float64 for float64 input), >= 0; exactly log(2N - 1) for identical embeddings without `labels`.

    Raises:
        ValueError: shapes differ or are not (N, D), or the temperature is not above 0.
    """
    check_temperature(temperature)
    check_same_shape(z1, z2)
    z = torch.cat([z1, z2])
    if blockwise_pays(len(z)):
        return _blockwise(z, temperature, labels)
    left_out = self_pairs(len(z), z.device)
    if labels is not None:
        left_out = left_out | false_negatives(labels)
    logits = masked(similarities(z, z) / temperature, left_out)
    return F.cross_entropy(logits, positive_index(len(z1), z1.device))


def _blockwise(z: Tensor, temperature: float | Tensor, labels: Tensor | None) -> Tensor:
    """`nt_xent` of views z (2N, D) without the matrix of their pairs."""
    z = unit_rows(z)
    pairs = len(z) // 2
    left_out = None
    if labels is not None:
        both, image = labels.repeat(2), torch.arange(pairs, device=labels.device).repeat(2)

        def left_out(rows: slice, columns: slice) -> Tensor:
            return (both[rows, None] == both[None, columns]) & (image[rows, None] != image[None, columns])

    positive = (z[:pairs] * z[pairs:]).sum(1) / temperature
    return (pair_logsumexp(z, temperature, left_out) - positive.repeat(2)).mean()


def nt_xent_chance_level(pairs: int) -> float:
    """The loss of a model with equal similarities for all views of N images: log(2N - 1), in nats; N >= 1."""
    check_count(pairs, 1, "pairs")
    return math.log(2 * pairs - 1)
