"""SimCLR (Chen et al. 2020): two views, one encoder, one projection head, NT-Xent."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cl_core.encoders import Encoder
from cl_core.heads import projection_head
from cl_core.losses import chance_level, nt_xent
from cl_core.methods.base import Method, MethodOutput, MethodSettings


class SimCLR(Method):
    def __init__(self, encoder: Encoder, settings: MethodSettings) -> None:
        super().__init__(encoder, settings)
        self.head = projection_head(encoder.dim, settings.projection_hidden, settings.projection_dim)
        self.temperature = settings.temperature

    def project(self, features: Tensor) -> Tensor:
        return self.head(features)

    def forward(self, views: Sequence[Tensor], labels: Tensor, indices: Tensor) -> MethodOutput:
        # One pass for both views: their batch statistics are shared, as in the paper.
        z1, z2 = self.project(self.encoder(torch.cat(list(views)))).chunk(2)
        return MethodOutput(nt_xent(z1, z2, self.temperature), chance_level(len(z1)))
