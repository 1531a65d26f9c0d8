"""Nearest neighbors within one set of images, and how often their labels agree."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 1024


def nearest_others(features: Tensor, groups: Tensor, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest images to each query by cosine that are not of its group, best first.

    Args:
        features: (P, D) of length 1. groups: (P,) int64. queries: (Q,) int64, positions in `features`.

    Returns:
        Cosines (Q, k) and positions (Q, k) int64; with fewer than k other images the remaining cosines are -inf.
    """
    cosines, positions = [], []
    for part in queries.split(CHUNK):
        all_cosines = (features[part] @ features.T).masked_fill(groups[part, None] == groups[None], -torch.inf)
        best = all_cosines.topk(min(k, len(features)), dim=1)
        cosines.append(best.values)
        positions.append(best.indices)
    return torch.cat(cosines), torch.cat(positions)


def label_agreement(features: Tensor, labels: Tensor, groups: Tensor, k: int = 10) -> Tensor:
    """Fraction of each image's k nearest neighbors that have its label: (P,) in [0, 1], NaN for unlabeled images.

    Args:
        features: (P, D) of length 1. labels, groups: (P,) int64; label -1 means unlabeled.
    """
    cosines, positions = nearest_others(features, groups, torch.arange(len(features)), k)
    valid = cosines > -torch.inf
    same = (labels[positions] == labels[:, None]) & valid
    fraction = same.sum(1) / valid.sum(1).clamp(min=1)
    return fraction.masked_fill(labels < 0, torch.nan)
