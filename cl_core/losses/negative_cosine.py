"""Negative cosine similarity, the loss of SimSiam and BYOL: no negatives, no denominator (Chen and He 2021, eq. 1)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from cl_core.losses.similarity import at_least_float32, check_same_shape, without_autocast

MIN_LOSS = -1.0  # where both views agree, and also where all images have collapsed to one point


@without_autocast
def negative_cosine(p: Tensor, z: Tensor) -> Tensor:
    """Mean of -cos(p, z) over N pairs of rows, in [-1, 1]; for the stop-gradient pass z detached.

    Args:
        p, z: (N, D), N >= 1, any floating dtype; rows need not be normalized.

    Returns:
        Scalar, float32 (float64 for float64 input). Unrelated directions give about 0.

    Raises:
        ValueError: shapes differ or are not (N, D).
    """
    check_same_shape(p, z)
    return -F.cosine_similarity(at_least_float32(p), at_least_float32(z), dim=1).mean()
