"""Principal component analysis: the directions of largest variance."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

MIN_EIGENVALUE = 1e-6  # of the largest; below it is rounding
MAX_EIGH = 4096  # rows of a matrix of which all eigenvectors are computed: a minute on one core


def pca_axes(features: Tensor, dimensions: int = 2) -> tuple[Tensor, Tensor]:
    """Mean (D,) and directions of largest variance (D, dimensions) of features (N, D).

    Each direction's sign makes its largest loading positive, so that the result is deterministic.
    """
    mean = features.mean(0)
    axes = _largest_axes(features - mean, dimensions)
    return mean, axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()


def _largest_axes(centered: Tensor, dimensions: int) -> Tensor:
    """Directions (D, dimensions); where the rows span fewer, the last ones are 0."""
    count, size = centered.shape
    if min(count, size) > MAX_EIGH:
        return _lanczos_axes(centered, dimensions)
    if size <= count:
        _, vectors = torch.linalg.eigh(centered.T @ centered)
        return F.pad(vectors[:, -dimensions:].flip(1), (0, max(0, dimensions - size)))
    # Of many pixels: the matrix of inner products has the same eigenvalues, and is smaller.
    values, vectors = torch.linalg.eigh(centered @ centered.T)
    rank = int((values > MIN_EIGENVALUE * values[-1]).sum())
    axes = F.normalize(centered.T @ vectors.flip(1)[:, : min(rank, dimensions)], dim=0)
    return F.pad(axes, (0, dimensions - axes.shape[1]))


def _lanczos_axes(centered: Tensor, dimensions: int) -> Tensor:
    import numpy as np
    from scipy.sparse.linalg import LinearOperator, eigsh

    size = centered.shape[1]

    def times(vector: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return (centered.T @ (centered @ torch.from_numpy(vector).float())).double().numpy()

    start = np.random.default_rng(0).normal(size=size)
    values, vectors = eigsh(LinearOperator((size, size), times, dtype=np.float64), dimensions, v0=start)
    return torch.from_numpy(vectors[:, values.argsort()[::-1]].copy()).float()


def pca(features: Tensor, dimensions: int = 2) -> Tensor:
    """Coordinates along the directions of largest variance, (N, dimensions)."""
    mean, axes = pca_axes(features, dimensions)
    return (features - mean) @ axes
