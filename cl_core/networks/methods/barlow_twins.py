"""Barlow Twins (Zbontar et al. 2021): dimensions are compared, not images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cl_core.losses import barlow_twins, barlow_twins_chance_level
from cl_core.losses.anatomy import barlow_twins_anatomy
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.methods.base import (
    DataShape,
    HeadMethod,
    LossBreakdown,
    MethodOutput,
    MethodSettings,
    StoredKeys,
    dimension_columns,
)


class BarlowTwins(HeadMethod):
    """Corresponding dimensions of the two views should be equal, and different dimensions uncorrelated."""

    has_temperature = False
    compares_dimensions = True

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.redundancy_weight = settings.redundancy_weight

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        # Each view has its own batch statistics, as in the paper's code.
        z1, z2 = (self.shard.gather(self.project(self.encoder(view))) for view in views)
        return MethodOutput(barlow_twins(z1, z2, self.redundancy_weight), barlow_twins_chance_level(z1.shape[1]))

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        z1, z2 = z.chunk(2)
        anatomy = barlow_twins_anatomy(z1, z2, self.redundancy_weight)
        return LossBreakdown(anatomy, *dimension_columns(z), barlow_twins_chance_level(z.shape[1]))
