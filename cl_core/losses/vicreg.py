"""VICReg (Bardes et al. 2022): variance, invariance and covariance, each a term of its own, as in the authors' code."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor
from torch.nn import functional as F

from cl_core.losses.similarity import at_least_float32, check_same_shape, without_autocast

EPSILON = 1e-4  # added to variances


@dataclasses.dataclass(frozen=True)
class VICRegWeights:
    """Weights of the three terms: lambda, mu and nu of the paper, with its values."""

    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0


PAPER_WEIGHTS = VICRegWeights()


@dataclasses.dataclass(frozen=True)
class VICRegTerms:
    """The three terms, scalar tensors without weights.

    Attributes:
        invariance: mean squared difference of the two views, over images and dimensions.
        variance: mean over the dimensions of how far their standard deviation is below 1; mean of both views.
        covariance: sum of the squared covariances of different dimensions, divided by their number; sum of both views.
    """

    invariance: Tensor
    variance: Tensor
    covariance: Tensor

    def weighted(self, weights: VICRegWeights) -> Tensor:
        """The loss."""
        return weights.invariance * self.invariance + weights.variance * self.variance + weights.covariance * self.covariance


def covariance(z: Tensor) -> Tensor:
    """Covariance of the columns of z (N, D) over the batch, N >= 2: (D, D)."""
    centered = z - z.mean(0)
    return centered.T @ centered / (len(z) - 1)


@without_autocast
def vicreg_terms(z1: Tensor, z2: Tensor) -> VICRegTerms:
    """The three terms of VICReg.

    Args:
        z1, z2: embeddings of the first and second view of N images, (N, D), N >= 2; any floating dtype, not normalized.

    Raises:
        ValueError: shapes differ, or there is only one image.
    """
    check_same_shape(z1, z2)
    if len(z1) < 2:
        raise ValueError("a covariance needs at least 2 images, not 1")
    z1, z2 = at_least_float32(z1), at_least_float32(z2)
    both = [covariance(z) for z in (z1, z2)]
    variances = torch.stack([matrix.diagonal() for matrix in both])
    off = torch.stack([matrix.square().sum() - matrix.diagonal().square().sum() for matrix in both])
    return VICRegTerms(F.mse_loss(z1, z2), F.relu(1 - (variances + EPSILON).sqrt()).mean(), off.sum() / z1.shape[1])


@without_autocast
def vicreg(z1: Tensor, z2: Tensor, weights: VICRegWeights = PAPER_WEIGHTS) -> Tensor:
    """The weighted sum of the three terms, scalar, float32 (float64 for float64 input), >= 0; as `vicreg_terms`.

    Collapsed embeddings have about `weights.variance`, see `vicreg_chance_level`.
    """
    return vicreg_terms(z1, z2).weighted(weights)


def vicreg_chance_level(weights: VICRegWeights = PAPER_WEIGHTS) -> float:
    """The loss of collapsed embeddings: both views agree, and no dimension varies."""
    return weights.variance * (1 - EPSILON**0.5)
