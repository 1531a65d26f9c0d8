"""Supervised contrastive loss (Khosla et al. 2020): the positives of an anchor are all views of its class."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from cl_core.losses.blockwise import blockwise_pays, pair_logsumexp
from cl_core.losses.similarity import (
    at_least_float32,
    check_temperature,
    masked,
    self_pairs,
    similarities,
    unit_rows,
    without_autocast,
)

SupConForm = Literal["out", "in", "in-sum"]


def positive_pairs(labels: Tensor) -> Tensor:
    """(M, M) bool: same label, not the same view."""
    return (labels[:, None] == labels[None]) & ~self_pairs(len(labels), labels.device)


def left_out_anchors(labels: Tensor) -> int:
    """Number of anchors without a positive, which the loss leaves out."""
    return int((~positive_pairs(labels).any(1)).sum())


@without_autocast
def sup_con(
    z: Tensor, labels: Tensor, temperature: float | Tensor = 0.1, form: SupConForm = "out", normalize: bool = True
) -> Tensor:
    """Mean over the anchors that have a positive; `left_out_anchors` counts the others.

    There is no factor temperature / base temperature: identical embeddings give exactly log(M - 1); `in-sum` gives log |P|
    less.

    Args:
        z: embeddings of all views, (M, D), any floating dtype. labels: (M,).
        temperature: > 0; a tensor () is learned like a weight. The default is the paper's.
        form: position of the mean over the positives P. `out`: outside the log, eq. 2, with better accuracy in the paper.
            `in`: -log(mean of the positives' probabilities), eq. 3. `in-sum`: -log(their sum), without 1 / |P|.
        normalize: compare by cosine; otherwise by dot product.

    Returns:
        Scalar, float32 (float64 for float64 input); NaN, the mean of nothing, where no anchor has a positive.

    Raises:
        ValueError: shapes do not agree, or the temperature is not above 0.
    """
    check_temperature(temperature)
    if z.dim() != 2 or labels.shape != z.shape[:1]:
        raise ValueError(f"embeddings need the shape (M, D) and labels (M,), not {tuple(z.shape)} and {tuple(labels.shape)}")
    if blockwise_pays(len(z)):
        return _blockwise(z, labels, temperature, form, normalize)
    positive = positive_pairs(labels)
    count = positive.sum(1)
    logits = masked(similarities(z, z, normalize) / temperature, self_pairs(len(z), z.device))
    log_probability = logits - logits.logsumexp(1, keepdim=True)
    anchors, at_least_one = count > 0, count.clamp(min=1)
    if form == "out":
        terms = -log_probability.masked_fill(~positive, 0).sum(1) / at_least_one
    else:
        # Rows without a positive are not masked, so that their gradient is finite; they are left out of the mean.
        terms = -masked(log_probability, ~positive & anchors[:, None]).logsumexp(1)
        if form == "in":
            terms = terms + at_least_one.to(terms.dtype).log()
    return _mean_over(anchors, terms)


def _mean_over(anchors: Tensor, terms: Tensor) -> Tensor:
    """Mean of the terms (M,) where `anchors` (M,) bool; indexing by a mask would synchronize an accelerator with the host."""
    return torch.where(anchors, terms, 0).sum() / anchors.sum()


def _groups(labels: Tensor) -> Tensor:
    """Labels (M,) as integers from 0 to at most M - 1, (M,) int64; `unique` would synchronize an accelerator with the host."""
    ordered, order = labels.sort()
    first = torch.cat([ordered.new_zeros(1, dtype=torch.long), (ordered[1:] != ordered[:-1]).long()])
    return torch.empty_like(order).scatter_(0, order, first.cumsum(0))


def _positives(labels: Tensor) -> Tensor:
    """Number of positives of each anchor, (M,) int64, without the matrix of all pairs."""
    group = _groups(labels)
    return torch.zeros_like(group).index_add_(0, group, torch.ones_like(group))[group] - 1


def _blockwise(z: Tensor, labels: Tensor, temperature: float | Tensor, form: SupConForm, normalize: bool) -> Tensor:
    """`sup_con` without the matrix of all pairs.

    Outside the log, the mean over the positives is linear in their embeddings, so each class needs only its sum.
    """
    z, count = unit_rows(z) if normalize else at_least_float32(z), _positives(labels)
    anchors, at_least_one = count > 0, count.clamp(min=1)
    log_denominators = pair_logsumexp(z, temperature, normalized=normalize)
    if form == "out":
        group = _groups(labels)
        sums = torch.zeros_like(z).index_add(0, group, z)
        mean = (z * (sums[group] - z)).sum(1) / at_least_one / temperature
        return _mean_over(anchors, log_denominators - mean)

    def negative(rows: slice, columns: slice) -> Tensor:
        return labels[rows, None] != labels[None, columns]

    terms = log_denominators - pair_logsumexp(z, temperature, negative, normalize)
    if form == "in":
        terms = terms + at_least_one.to(terms.dtype).log()
    return _mean_over(anchors, terms)
