"""Principal component analysis: (N, D) -> the directions of most variance."""

from __future__ import annotations

import torch
from torch import Tensor


def pca_axes(features: Tensor, dimensions: int = 2) -> tuple[Tensor, Tensor]:
    """Mean (D,) and directions of most variance (D, dimensions) of features (N, D).

    The sign of each direction is set so that its largest loading is positive: the same features
    always give the same image.
    """
    mean = features.mean(0)
    centered = features - mean
    _, vectors = torch.linalg.eigh(centered.T @ centered)
    axes = vectors[:, -dimensions:].flip(1)
    return mean, axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()


def pca(features: Tensor, dimensions: int = 2) -> Tensor:
    """Coordinates along the directions of most variance, (N, dimensions) float32."""
    mean, axes = pca_axes(features, dimensions)
    return (features - mean) @ axes
