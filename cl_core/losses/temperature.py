"""What the temperature does to a loss's negatives (Wang and Liu 2021, "Understanding the Behavior of Contrastive Loss")."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cl_core.losses.anatomy import Anatomy


def negative_weights(parts: Anatomy) -> Tensor:
    """(R, C): each negative's part of its anchor's push, 0 to 1; a row adds up to 1, or to 0 where nothing is pushed.

    For a softmax these are the negatives' probabilities over their sum (their "relative penalties", eq. 8).
    """
    push = parts.gradient.double().abs().masked_fill(~parts.negative, 0)
    return push / push.sum(1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)


def effective_negatives(parts: Anatomy) -> Tensor:
    """(R,): exp of the entropy of an anchor's negative weights: 1 (one takes all the push) to their number (all alike)."""
    weights = negative_weights(parts)
    return torch.special.xlogy(weights, weights).sum(1).neg().exp()


def hardest_contribution(parts: Anatomy) -> Tensor:
    """(R,): the largest negative weight of each anchor, 0 to 1."""
    return negative_weights(parts).amax(1)


def positive_pull(parts: Anatomy) -> Tensor:
    """(R,): how strongly an anchor's positives are pulled, the size of its term's derivative by their cosines, at least 0."""
    return parts.gradient.double().masked_fill(~parts.positive, 0).sum(1).neg()


def overflow_temperature(parts: Anatomy, dtype: torch.dtype = torch.float16) -> float:
    """Below this temperature exp(cosine / temperature), written as it stands, is infinite in `dtype`; 0 where never.

    Of the largest similarity that the loss looks at. The losses here stay in log space and do not overflow.
    """
    looked_at = parts.cosines[parts.positive | parts.negative]
    return max(0.0, float(looked_at.max())) / math.log(torch.finfo(dtype).max)
