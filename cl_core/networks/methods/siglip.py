"""Sigmoid loss (SigLIP, Zhai et al. 2023) between two views: each pair is a binary classification."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cl_core.losses import sigmoid_chance_level, sigmoid_loss
from cl_core.losses.anatomy import sigmoid_anatomy
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.methods.base import (
    ColumnKind,
    DataShape,
    HeadMethod,
    LossBreakdown,
    MethodOutput,
    MethodSettings,
    StoredKeys,
    Temperature,
)


class SigLIP(HeadMethod):
    """First views against second views. The bias is always learned, the temperature on request.

    The bias begins at -log(batch size), the logit of a positive among so many pairs; the paper's -10 is for batches of 32,768.
    """

    has_softmax = False

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.temperature = Temperature(settings)
        self.bias = nn.Parameter(torch.tensor(-math.log(settings.batch_size)))

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        z1, z2 = map(self.shard.gather, self.queries_of(views).chunk(2))
        return MethodOutput(
            sigmoid_loss(z1, z2, self.temperature(self.shard), self.shard.shared(self.bias)), sigmoid_chance_level(len(labels))
        )

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        first, second = z.chunk(2)
        anatomy = sigmoid_anatomy(first, second, self.temperature.value, float(self.bias.detach()))
        kinds: list[ColumnKind] = ["view"] * len(second)
        return LossBreakdown(anatomy, kinds, torch.arange(len(second)) + len(first), sigmoid_chance_level(len(labels)))
