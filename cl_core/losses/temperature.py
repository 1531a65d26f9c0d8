"""Effect of the temperature on the negatives of a loss (Wang and Liu 2021, "Understanding the Behavior of Contrastive Loss").

The temperature lab computes these in the browser; tests compare with the functions here.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cl_core.losses.anatomy import Anatomy


def negative_weights(parts: Anatomy) -> Tensor:
    """Each negative's fraction of the gradient that pushes its anchor away: (R, C), rows sum to 1, or to 0 without a push.

    For a softmax these are the negatives' probabilities, normalized over the negatives (the "relative penalty", eq. 8).
    """
    push = parts.gradient.double().abs().masked_fill(~parts.negative, 0)
    return push / push.sum(1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)


def effective_negatives(parts: Anatomy) -> Tensor:
    """exp of the entropy of each anchor's negative weights, (R,): from 1 (a single negative) to their number (all equal)."""
    weights = negative_weights(parts)
    return torch.special.xlogy(weights, weights).sum(1).neg().exp()


def hardest_contribution(parts: Anatomy) -> Tensor:
    """The largest negative weight of each anchor, (R,) in [0, 1]."""
    return negative_weights(parts).amax(1)


def positive_pull(parts: Anatomy) -> Tensor:
    """Size of the derivative of each anchor's term by the cosines of its positives, (R,), >= 0."""
    return parts.gradient.double().masked_fill(~parts.positive, 0).sum(1).neg()


def overflow_temperature(parts: Anatomy, dtype: torch.dtype = torch.float16) -> float:
    """The temperature below which exp(cosine / temperature) of the largest compared cosine overflows in `dtype`; 0 if never.

    The losses of this package compute in log space and do not overflow.
    """
    compared = parts.cosines[parts.positive | parts.negative]
    return max(0.0, float(compared.max())) / math.log(torch.finfo(dtype).max)
