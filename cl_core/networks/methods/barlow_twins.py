"""Barlow Twins (Zbontar et al. 2021): dimensions are compared, not images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cl_core.losses import barlow_chance_level, barlow_twins
from cl_core.losses.anatomy import barlow_twins_anatomy
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.methods.base import (
    Comparison,
    DataShape,
    HeadMethod,
    MethodOutput,
    MethodSettings,
    StoredKeys,
    dimension_columns,
)


class BarlowTwins(HeadMethod):
    """The two views' dimensions shall agree pairwise, and different dimensions shall be unrelated."""

    has_temperature = False
    compares_dimensions = True

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.redundancy_weight = settings.redundancy_weight

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        # Each view has its own batch statistics, as in the paper's code.
        z1, z2 = (self.shard.gather(self.project(self.encoder(view))) for view in views)
        return MethodOutput(barlow_twins(z1, z2, self.redundancy_weight), barlow_chance_level(z1.shape[1]))

    def compare(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> Comparison:
        z1, z2 = z.chunk(2)
        anatomy = barlow_twins_anatomy(z1, z2, self.redundancy_weight)
        return Comparison(anatomy, *dimension_columns(z), barlow_chance_level(z.shape[1]))
