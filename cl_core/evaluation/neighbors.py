"""VectorIndex neighbors within one set of images, in the space itself: who they are, and whether labels agree."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 1024


def nearest_others(features: Tensor, groups: Tensor, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k images most like each query that are not of its group, best first.

    Args:
        features: (P, D) of length 1. groups: (P,) int64. queries: (Q,) int64, positions in them.

    Returns:
        Cosines (Q, k) and positions (Q, k); where there are fewer than k others, cosines are -inf.
    """
    cosines, positions = [], []
    for part in queries.split(CHUNK):
        all_cosines = (features[part] @ features.T).masked_fill(groups[part, None] == groups[None], -torch.inf)
        best = all_cosines.topk(min(k, len(features)), dim=1)
        cosines.append(best.values)
        positions.append(best.indices)
    return torch.cat(cosines), torch.cat(positions)


def agreement(features: Tensor, labels: Tensor, groups: Tensor, k: int = 10) -> Tensor:
    """How many of an image's k nearest neighbors have its label, (P,) in 0 to 1; NaN where it has none.

    Args:
        features: (P, D) of length 1. labels, groups: (P,) int64; a label of -1 is none.
    """
    cosines, positions = nearest_others(features, groups, torch.arange(len(features)), k)
    there = cosines > -torch.inf
    same = (labels[positions] == labels[:, None]) & there
    share = same.sum(1) / there.sum(1).clamp(min=1)
    return share.masked_fill(labels < 0, torch.nan)
