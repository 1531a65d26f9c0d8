"""SimSiam (Chen and He 2021): two views, a predictor, a stop-gradient, and no negatives at all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cl_core.losses import negative_cosine
from cl_core.losses.anatomy import negative_cosine_anatomy
from cl_core.losses.negative_cosine import MIN_LOSS
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.heads import predictor
from cl_core.networks.methods.base import (
    DataShape,
    HeadMethod,
    LossBreakdown,
    MethodOutput,
    MethodSettings,
    StoredKeys,
    view_columns,
)


class SimSiam(HeadMethod):
    """Negative cosine between prediction and projection. Without `stop_gradient` or `predictor` it collapses."""

    has_temperature = False
    lowest_loss = MIN_LOSS

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        dim = settings.projection_dim
        self.predictor: nn.Module = predictor(dim, settings.predictor_hidden) if settings.predictor else nn.Identity()
        self.stop_gradient = settings.stop_gradient

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        # Each view has its own batch statistics, as in the paper.
        z1, z2 = (self.project(self.encoder(view)) for view in views)
        p1, p2 = self.predictor(z1), self.predictor(z2)
        if self.stop_gradient:
            z1, z2 = z1.detach(), z2.detach()
        p1, p2, z1, z2 = map(self.shard.gather, (p1, p2, z1, z2))
        loss = negative_cosine(p1, z2) / 2 + negative_cosine(p2, z1) / 2
        return MethodOutput(loss, chance=0.0)

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        anatomy = negative_cosine_anatomy(*self.predictor(z).chunk(2), *z.chunk(2))
        return LossBreakdown(anatomy, *view_columns(len(z)), chance=0.0)
