"""A public encoder as a method, for inference only."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cl_core.errors import UserError
from cl_core.losses import nt_xent_chance_level
from cl_core.losses.anatomy import nt_xent_anatomy
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.methods.base import DataShape, LossBreakdown, Method, MethodOutput, MethodSettings, StoredKeys, view_columns


class Pretrained(Method):
    """Encoder without projection head: z is h. `loss_breakdown` uses NT-Xent at the temperature of the settings."""

    trainable = False
    has_head = False

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.temperature = settings.temperature

    def project(self, features: Tensor) -> Tensor:
        return features

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        raise UserError("models.not_trainable")

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        first, second = z.chunk(2)
        anatomy = nt_xent_anatomy(first, second, self.temperature)
        return LossBreakdown(anatomy, *view_columns(len(z)), chance=nt_xent_chance_level(len(first)))
