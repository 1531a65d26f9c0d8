"""Supervised contrastive loss (Khosla et al. 2020): the positives of an anchor are all views of its class."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from cl_core.losses.blockwise import blockwise_pays, pair_logsumexp
from cl_core.losses.similarity import at_least_float32, check_temperature, masked, self_pairs, similarities, without_autocast

SupConForm = Literal["out", "in", "in-sum"]


def positive_pairs(labels: Tensor) -> Tensor:
    """(M, M) bool: same label, not the same view."""
    return (labels[:, None] == labels[None]) & ~self_pairs(len(labels), labels.device)


def left_out_anchors(labels: Tensor) -> int:
    """Anchors without any positive, which the loss leaves out: how many."""
    return int((~positive_pairs(labels).any(1)).sum())


@without_autocast
def sup_con(z: Tensor, labels: Tensor, temperature: float = 0.1, form: SupConForm = "out", normalise: bool = True) -> Tensor:
    """Mean over the anchors that have a positive; `left_out_anchors` counts the others.

    There is no factor temperature / base temperature: identical features give exactly log(M - 1), `in-sum` less log |P|.

    Args:
        z: embeddings of all views, (M, D), any floating dtype. labels: (M,).
        temperature: > 0.
        form: where the mean over the positives P stands. `out`: outside the log, eq. 2, the better one.
            `in`: -log(mean of the positives' probabilities), eq. 3. `in-sum`: -log(their sum), without 1 / |P|.
        normalise: compare by cosine; otherwise by dot product.

    Returns:
        Scalar, float32 (float64 for float64 input).

    Raises:
        ValueError: no anchor has a positive, shapes do not agree, or the temperature is not above 0.
    """
    check_temperature(temperature)
    if z.dim() != 2 or labels.shape != z.shape[:1]:
        raise ValueError(f"embeddings need the shape (M, D) and labels (M,), not {tuple(z.shape)} and {tuple(labels.shape)}")
    blockwise = normalise and blockwise_pays(len(z))
    count = _positives(labels) if blockwise else positive_pairs(labels).sum(1)
    if not bool(count.any()):
        raise ValueError("no two views have the same label, so there is no positive pair; every class needs two views")
    if blockwise:
        return _blockwise(z, labels, count, temperature, form)
    positive = positive_pairs(labels)
    logits = masked(similarities(z, z, normalise) / temperature, self_pairs(len(z), z.device))
    log_probability = logits - logits.logsumexp(1, keepdim=True)
    anchors = count > 0
    if form == "out":
        terms = -log_probability.masked_fill(~positive, 0).sum(1)[anchors] / count[anchors]
    else:
        terms = -masked(log_probability[anchors], ~positive[anchors]).logsumexp(1)
        if form == "in":
            terms = terms + count[anchors].to(terms.dtype).log()
    return terms.mean()


def _positives(labels: Tensor) -> Tensor:
    """Positives of each anchor, (M,) int64, without the matrix of all pairs."""
    _, group, size = labels.unique(return_inverse=True, return_counts=True)
    return size[group] - 1


def _blockwise(z: Tensor, labels: Tensor, count: Tensor, temperature: float, form: SupConForm) -> Tensor:
    """`sup_con` of normalised z without the matrix of all pairs.

    Outside the log, the mean over the positives is that of a linear term: the class's sum of embeddings serves all its anchors.
    """
    z = F.normalize(at_least_float32(z), dim=1)
    anchors = count > 0
    everything = pair_logsumexp(z, temperature)
    if form == "out":
        classes, group = labels.unique(return_inverse=True)
        sums = z.new_zeros(len(classes), z.shape[1]).index_add(0, group, z)
        mean = (z * (sums[group] - z)).sum(1) / count.clamp(min=1) / temperature
        return (everything - mean)[anchors].mean()

    def negative(rows: slice, columns: slice) -> Tensor:
        return labels[rows, None] != labels[None, columns]

    terms = (everything - pair_logsumexp(z, temperature, negative))[anchors]
    if form == "in":
        terms = terms + count[anchors].to(terms.dtype).log()
    return terms.mean()
