"""NT-Xent with reweighted negatives: harder ones count more, and the share of false ones is subtracted.

"Contrastive Learning with Hard Negative Samples" (HCL, Robinson et al. 2021); without weights it is the loss of "Debiased
Contrastive Learning" (Chuang et al. 2020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cl_core.losses.similarity import check_same_shape, check_temperature, masked, self_pairs, similarities, without_autocast


@without_autocast
def hard_negative_nt_xent(
    z1: Tensor, z2: Tensor, temperature: float | Tensor = 0.5, hardness: float = 1.0, prior: float = 0.1
) -> Tensor:
    """Mean over all 2N views of -log(positive / (positive + estimate of the negatives)).

    With s a cosine divided by the temperature, the estimate for the M = 2N - 2 negatives is (sum of w exp(s) - M prior exp(s
    of the positive)) / (1 - prior), where w is proportional to exp(hardness s) with mean 1. It is at least M exp(-1 /
    temperature), its value if all negatives were opposite. Hardness and prior 0 give NT-Xent.

    Args:
        z1, z2: (N, D), N >= 2, any floating dtype; rows need not be normalized.
        temperature: > 0. A tensor () is learned like a weight.
        hardness: >= 0, beta of HCL; 0 weights all negatives equally.
        prior: in [0, 1), tau+ of both papers: probability that a negative shows the anchor's class.

    Returns:
        Scalar, float32 (float64 for float64 input), >= 0.

    Raises:
        ValueError: shapes differ, there is only one image, or a number is out of its range.
    """
    check_temperature(temperature)
    check_same_shape(z1, z2)
    if len(z1) < 2:
        raise ValueError("negatives need at least 2 images, not 1")
    check_reweighting(hardness, prior)
    z = torch.cat([z1, z2])
    scaled = similarities(z, z) / temperature
    own = self_pairs(len(z), z.device)
    partner = own.roll(len(z1), 1)
    positive = scaled.masked_fill(~partner, 0).sum(1)
    return (
        torch.logaddexp(positive, log_reweighted_negatives(scaled, positive, ~(own | partner), temperature, hardness, prior))
        - positive
    ).mean()


def log_reweighted_negatives(
    scaled: Tensor, positive: Tensor, negative: Tensor, temperature: float | Tensor, hardness: float, prior: float
) -> Tensor:
    """log of the estimated sum over each anchor's negatives, (R,).

    Args:
        scaled: (R, C), cosines divided by the temperature. positive: (R,), those of the positives.
        negative: (R, C) bool, at least one in each row.
    """
    count = negative.sum(1).to(scaled.dtype)
    weighted = masked((1 + hardness) * scaled, ~negative).logsumexp(1) - masked(hardness * scaled, ~negative).logsumexp(1)
    if prior == 0:
        return weighted + count.log()
    # log(exp(weighted) - prior exp(positive)), where that is positive; the other branch must have a finite gradient, too.
    gap = math.log(prior) + positive - weighted
    difference = weighted + torch.log1p(-gap.clamp(max=-1e-6).exp())
    estimate = torch.where(gap < -1e-6, difference, -torch.inf) - math.log1p(-prior)
    return torch.maximum(estimate, -1 / _as(temperature, scaled) * torch.ones_like(estimate)) + count.log()


def _as(value: float | Tensor, like: Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)


def check_reweighting(hardness: float, prior: float) -> None:
    """Raise ValueError unless hardness >= 0 and 0 <= prior < 1."""
    if not 0 <= hardness < math.inf:
        raise ValueError(f"hardness must be at least 0, not {hardness}")
    if not 0 <= prior < 1:
        raise ValueError(f"prior must be at least 0 and less than 1, not {prior}")
