"""Supervised contrastive loss (Khosla et al. 2020): the positives of an anchor are all views of its class."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from cl_core.losses.similarity import check_temperature, masked, self_pairs, similarities, without_autocast

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
    positive = positive_pairs(labels)
    count = positive.sum(1)
    if not bool(count.any()):
        raise ValueError("no two views have the same label, so there is no positive pair; every class needs two views")
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
