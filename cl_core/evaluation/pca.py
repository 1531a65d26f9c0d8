"""Principal component analysis: the directions of largest variance."""

from __future__ import annotations

import torch
from torch import Tensor


def pca_axes(features: Tensor, dimensions: int = 2) -> tuple[Tensor, Tensor]:
    """Mean (D,) and directions of largest variance (D, dimensions) of features (N, D).

    Each direction's sign makes its largest loading positive, so that the result is deterministic.
    """
    mean = features.mean(0)
    centered = features - mean
    _, vectors = torch.linalg.eigh(centered.T @ centered)
    axes = vectors[:, -dimensions:].flip(1)
    return mean, axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()


def pca(features: Tensor, dimensions: int = 2) -> Tensor:
    """Coordinates along the directions of largest variance, (N, dimensions)."""
    mean, axes = pca_axes(features, dimensions)
    return (features - mean) @ axes
