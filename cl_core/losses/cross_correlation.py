"""Barlow Twins (Zbontar et al. 2021): the cross-correlation of two views' dimensions should be the identity."""

from __future__ import annotations

import torch
from torch import Tensor

from cl_core.losses.similarity import at_least_float32, check_same_shape, without_autocast

EPSILON = 1e-5  # added to variances, as by a batch normalization


def standardized(z: Tensor) -> Tensor:
    """Columns of z (N, D) with mean 0 and variance 1 over the batch; constant columns become zeros."""
    z = at_least_float32(z)
    centered = z - z.mean(0)
    return centered * (centered.square().mean(0) + EPSILON).rsqrt()


@without_autocast
def cross_correlation(z1: Tensor, z2: Tensor) -> Tensor:
    """Correlation over the batch of each dimension of the first views with each dimension of the second: (D, D), in [-1, 1].

    Args:
        z1, z2: (N, D), N >= 2, any floating dtype.

    Raises:
        ValueError: shapes differ, or there is only one image.
    """
    check_same_shape(z1, z2)
    if len(z1) < 2:
        raise ValueError("a correlation needs at least 2 images, not 1")
    return standardized(z1).T @ standardized(z2) / len(z1)


@without_autocast
def barlow_twins(z1: Tensor, z2: Tensor, redundancy_weight: float = 0.005) -> Tensor:
    """Sum of (1 - C_ii)^2 over the dimensions, plus `redundancy_weight` times that of C_ij^2 over i != j (eq. 1).

    Args:
        z1, z2: embeddings of the first and second view of N images, (N, D), N >= 2; any floating dtype, not normalized.
        redundancy_weight: lambda, >= 0; the default is the paper's.

    Returns:
        Scalar, float32 (float64 for float64 input), >= 0. A model whose dimensions are unrelated has about D, see
        `barlow_twins_chance_level`.

    Raises:
        ValueError: shapes differ, or there is only one image.
    """
    correlation = cross_correlation(z1, z2)
    diagonal = correlation.diagonal()
    # The squares off the diagonal: all of them less those on it.
    off = correlation.square().sum() - diagonal.square().sum()
    return (1 - diagonal).square().sum() + redundancy_weight * off


def barlow_twins_chance_level(dimensions: int) -> float:
    """`barlow_twins` where no dimension is related to any other, over many images: D; also of collapsed embeddings."""
    return float(dimensions)


def correlation_terms(correlation: Tensor, redundancy_weight: float) -> Tensor:
    """Each entry's part of the loss, (D, D): (1 - C)^2 on the diagonal, `redundancy_weight` C^2 elsewhere."""
    diagonal = torch.eye(len(correlation), dtype=torch.bool, device=correlation.device)
    return torch.where(diagonal, (1 - correlation).square(), redundancy_weight * correlation.square())
