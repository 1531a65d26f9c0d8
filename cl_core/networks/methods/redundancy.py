"""Methods that compare dimensions rather than images: Barlow Twins (Zbontar et al. 2021), VICReg (Bardes et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cl_core.losses import (
    VICRegWeights,
    barlow_chance_level,
    barlow_twins,
    vicreg,
    vicreg_chance_level,
    vicreg_terms,
)
from cl_core.losses.anatomy import barlow_twins_anatomy, vicreg_anatomy
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.methods.base import (
    ColumnKind,
    Comparison,
    DataShape,
    Method,
    MethodOutput,
    MethodSettings,
    StoredKeys,
    head_for,
)


class BarlowTwins(Method):
    """The two views' dimensions shall agree pairwise, and different dimensions shall be unrelated."""

    has_temperature = False
    compares_dimensions = True

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.head = head_for(encoder, settings)
        self.redundancy_weight = settings.redundancy_weight

    def project(self, features: Tensor) -> Tensor:
        return self.head(features)

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        # Each view has its own batch statistics, as in the paper's code.
        z1, z2 = (self.shard.gather(self.project(self.encoder(view))) for view in views)
        return MethodOutput(barlow_twins(z1, z2, self.redundancy_weight), barlow_chance_level(z1.shape[1]))

    def compare(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> Comparison:
        z1, z2 = z.chunk(2)
        anatomy = barlow_twins_anatomy(z1, z2, self.redundancy_weight)
        return Comparison(anatomy, *_dimension_columns(z), barlow_chance_level(z.shape[1]))


class VICReg(Method):
    """Views agree (invariance), each dimension varies (variance), and no two vary together (covariance)."""

    has_temperature = False
    compares_dimensions = True

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.head = head_for(encoder, settings)
        self.weights = VICRegWeights(settings.invariance_weight, settings.variance_weight, settings.covariance_weight)

    def project(self, features: Tensor) -> Tensor:
        return self.head(features)

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        z1, z2 = (self.shard.gather(self.project(self.encoder(view))) for view in views)
        return MethodOutput(vicreg(z1, z2, self.weights), vicreg_chance_level(self.weights))

    def compare(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> Comparison:
        z1, z2 = z.chunk(2)
        terms, weights = vicreg_terms(z1, z2), self.weights
        parts = {
            "invariance": weights.invariance * float(terms.invariance),
            "variance": weights.variance * float(terms.variance),
            "covariance": weights.covariance * float(terms.covariance),
        }
        anatomy = vicreg_anatomy(z1, z2, weights)
        return Comparison(anatomy, *_dimension_columns(z), vicreg_chance_level(weights), parts)


def _dimension_columns(z: Tensor) -> tuple[list[ColumnKind], Tensor]:
    """Kinds and ids of the columns of a loss that compares dimensions."""
    kinds: list[ColumnKind] = ["dimension"] * z.shape[1]
    return kinds, torch.arange(z.shape[1])
