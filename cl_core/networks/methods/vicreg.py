"""VICReg (Bardes et al. 2022): variance, invariance and covariance of dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cl_core.losses import VICRegWeights, vicreg, vicreg_chance_level, vicreg_terms
from cl_core.losses.anatomy import vicreg_anatomy
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


class VICReg(HeadMethod):
    """Views agree (invariance), each dimension varies (variance), and no two vary together (covariance)."""

    has_temperature = False
    compares_dimensions = True

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.weights = VICRegWeights(settings.invariance_weight, settings.variance_weight, settings.covariance_weight)

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        z1, z2 = (self.shard.gather(self.project(self.encoder(view))) for view in views)
        return MethodOutput(vicreg(z1, z2, self.weights), vicreg_chance_level(self.weights))

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        z1, z2 = z.chunk(2)
        terms, weights = vicreg_terms(z1, z2), self.weights
        parts = {
            "invariance": weights.invariance * float(terms.invariance),
            "variance": weights.variance * float(terms.variance),
            "covariance": weights.covariance * float(terms.covariance),
        }
        anatomy = vicreg_anatomy(z1, z2, weights)
        return LossBreakdown(anatomy, *dimension_columns(z), vicreg_chance_level(weights), parts)
