"""Projection heads (h -> z) and predictors (z -> p)."""

from __future__ import annotations

from torch import nn


def projection_head(inputs: int, hidden: int, outputs: int, last_norm: bool = False) -> nn.Sequential:
    """Linear, BatchNorm, ReLU, Linear (SimCLR, Chen et al. 2020, section 4.2): (N, inputs) -> (N, outputs).

    Args:
        last_norm: append a BatchNorm without parameters (SimSiam, Chen and He 2021, section 3).
    """
    layers: list[nn.Module] = [
        nn.Linear(inputs, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, outputs, bias=not last_norm),
    ]
    if last_norm:
        layers.append(nn.BatchNorm1d(outputs, affine=False))
    return nn.Sequential(*layers)


def predictor(dim: int, hidden: int) -> nn.Sequential:
    """Bottleneck of Linear, BatchNorm, ReLU, Linear (SimSiam, section 3): (N, dim) -> (N, dim)."""
    return projection_head(dim, hidden, dim)
