"""Projection heads: feature h -> embedding z."""

from __future__ import annotations

from torch import nn


def projection_head(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Linear, BatchNorm, ReLU, Linear (SimCLR, Chen et al. 2020, section 4.2): (N, inputs) -> (N, outputs)."""
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, outputs),
    )
