"""DCL (Yeh et al. 2022): NT-Xent with the positive left out of the denominator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cl_core.losses import decoupled_nt_xent, decoupled_nt_xent_chance_level
from cl_core.losses.anatomy import decoupled_nt_xent_anatomy
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


class DCL(HeadMethod):
    """DCL: the positive is left out of the denominator, so that small batches keep their gradient.

    With `decoupled_sigma` above 0, DCLW: positives that differ much pull more.
    """

    has_softmax = False

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.temperature = Temperature(settings)
        self.sigma = settings.decoupled_sigma or None

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        z1, z2 = map(self.shard.gather, self.queries_of(views).chunk(2))
        return MethodOutput(
            decoupled_nt_xent(z1, z2, self.temperature(self.shard), self.sigma), decoupled_nt_xent_chance_level(len(labels))
        )

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        z1, z2 = z.chunk(2)
        anatomy = decoupled_nt_xent_anatomy(z1, z2, self.temperature.value, self.sigma)
        return LossBreakdown(anatomy, *view_columns(len(z)), decoupled_nt_xent_chance_level(len(labels)))
