"""HCL (Robinson et al. 2021): NT-Xent with reweighted negatives."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cl_core.losses import hard_negative_nt_xent, nt_xent_chance_level
from cl_core.losses.anatomy import hard_negative_anatomy
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.methods.base import (
    DataShape,
    HeadMethod,
    LossBreakdown,
    MethodOutput,
    MethodSettings,
    StoredKeys,
    Temperature,
    view_columns,
)


class HCL(HeadMethod):
    """HCL: harder negatives count more; a prior subtracts the share of false ones (debiased, Chuang et al. 2020)."""

    has_softmax = False

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.temperature = Temperature(settings)
        self.hardness, self.prior = settings.hardness, settings.negative_prior

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        z1, z2 = map(self.shard.gather, self.queries_of(views).chunk(2))
        # Of equal similarities, weights and prior cancel.
        loss = hard_negative_nt_xent(z1, z2, self.temperature(self.shard), self.hardness, self.prior)
        return MethodOutput(loss, nt_xent_chance_level(len(labels)))

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        z1, z2 = z.chunk(2)
        anatomy = hard_negative_anatomy(z1, z2, self.temperature.value, self.hardness, self.prior)
        return LossBreakdown(anatomy, *view_columns(len(z)), nt_xent_chance_level(len(labels)))
