"""Whitening of features: directions in which the features of all images vary most are scaled down.

Nearest neighbors by cosine then weigh many directions rather than the few strongest ones. Needs no labels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

RIDGE = 0.1  # added to each variance, times the mean variance: nearly constant directions are not blown up


class Whitening(nn.Module):
    """h -> (h - mean) @ matrix, (N, D) -> (N, D); the identity until `fit`."""

    mean: Tensor
    matrix: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("matrix", torch.eye(dim))

    def forward(self, features: Tensor) -> Tensor:
        # Half precision has too few digits for sums over all dimensions of both signs.
        with torch.autocast(features.device.type, enabled=False):
            return (features.float() - self.mean) @ self.matrix

    @property
    def is_fitted(self) -> bool:
        return not torch.equal(self.matrix.cpu(), torch.eye(len(self.matrix)))

    @torch.no_grad()
    def fit(self, features: Tensor, strength: float) -> Tensor:
        """Set mean and matrix; returns the inverse of the matrix, (D, D) float64.

        The matrix is symmetric: variances v along the principal directions become about v ** (1 - strength).

        Args:
            features: (N, D), N >= 2, as `forward` gets them.
            strength: 0 only subtracts the mean, 1 makes all directions vary equally.
        """
        values = features.cpu().double()
        mean = values.mean(0)
        variances, directions = torch.linalg.eigh(torch.cov((values - mean).T))
        variances = variances.clamp(min=0)
        scale = (variances + RIDGE * variances.mean()).clamp(min=torch.finfo(torch.float32).tiny) ** (-strength / 2)
        scale = scale / scale.square().mean().sqrt()  # the size of the features stays about the same
        self.mean.copy_(mean)
        self.matrix.copy_((directions * scale) @ directions.T)
        return (directions / scale) @ directions.T


@torch.no_grad()
def keep_output(first: nn.Linear, norm: nn.Module | None, mean: Tensor, inverse: Tensor) -> None:
    """Change a layer that reads features, so that it gives the same for whitened ones.

    Args:
        first: the layer. norm: the normalization after it, which takes over the constant where `first` has no bias.
        mean: (D,), subtracted by the whitening. inverse: (D, D), of its matrix.

    Raises:
        ValueError: the layer has no bias and no normalization with running statistics follows.
    """
    weight = first.weight.detach().cpu().double()  # Apple's GPU has no float64
    constant = (weight @ mean.cpu().double()).to(first.weight)
    first.weight.copy_(weight @ inverse.cpu().T)
    if first.bias is not None:
        first.bias.add_(constant)
    elif isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.running_mean is not None:
        norm.running_mean.sub_(constant)
    else:
        raise ValueError("the layer after the features has no place for a constant")
