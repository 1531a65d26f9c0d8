"""NT-Xent, the InfoNCE loss over the 2N views of a batch (SimCLR, Chen et al. 2020, eq. 1)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def positive_index(pairs: int, device: torch.device | None = None) -> Tensor:
    """Row of each view's positive when views are stacked `[first views; second views]`: (2N,), int64."""
    return torch.arange(2 * pairs, device=device).roll(pairs)


def scaled_similarities(z: Tensor, temperature: float) -> Tensor:
    """Cosine similarities divided by the temperature, self pairs set to -inf.

    Args:
        z: embeddings, (M, D), any floating dtype; rows need not be normalised.
        temperature: > 0.

    Returns:
        (M, M), float32 (float64 for float64 input), so that half precision input neither
        overflows nor rounds the logits. -inf, rather than a large negative number, masks
        exactly in every dtype and takes no gradient.
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    z = F.normalize(z if z.dtype == torch.float64 else z.float(), dim=1)
    logits = z @ z.T / temperature
    self_pairs = torch.eye(len(z), dtype=torch.bool, device=z.device)
    return logits.masked_fill(self_pairs, -torch.inf)


def nt_xent(z1: Tensor, z2: Tensor, temperature: float = 0.5) -> Tensor:
    """Mean over all 2N views of -log softmax of the positive among the 2N - 1 other views.

    Args:
        z1, z2: embeddings of the first and second view of N pictures, (N, D), N >= 1.
        temperature: > 0; the log-sum-exp keeps any value finite.

    Returns:
        Scalar, float32 (float64 for float64 input), >= 0. With identical features it is
        exactly log(2N - 1), whatever the temperature: see `chance_level`.

    Raises:
        ValueError: shapes differ or are not (N, D), or the temperature is not above 0.
    """
    if z1.shape != z2.shape or z1.dim() != 2 or len(z1) == 0:
        raise ValueError(f"both views need the same shape (N, D) with N >= 1, not {tuple(z1.shape)} and {tuple(z2.shape)}")
    # Autocast would run the product in half precision, which costs two digits of each logit.
    with torch.autocast(z1.device.type, enabled=False):
        logits = scaled_similarities(torch.cat([z1, z2]), temperature)
        return F.cross_entropy(logits, positive_index(len(z1), z1.device))


def chance_level(pairs: int) -> float:
    """The loss of a model that cannot tell views apart: log(2N - 1), in nats."""
    return math.log(2 * pairs - 1)
