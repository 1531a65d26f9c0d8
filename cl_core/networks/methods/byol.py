"""BYOL (Grill et al. 2020): predict the embedding that a moving average of the network gives for the other view."""

from __future__ import annotations

import copy
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


class BYOL(HeadMethod):
    """Negative cosine between prediction and target, both ways. The paper's symmetric loss is 4 + 4 times it."""

    has_temperature = False
    lowest_loss = MIN_LOSS
    training_only = ("target_encoder.", "target_head.")

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.predictor = predictor(settings.projection_dim, settings.predictor_hidden)
        self.target_encoder, self.target_head = copy.deepcopy(self.encoder), copy.deepcopy(self.head)
        for parameter in self._target_parameters():
            parameter.requires_grad_(False)
        self.momentum = settings.key_momentum

    def _target_parameters(self) -> list[nn.Parameter]:
        return [*self.target_encoder.parameters(), *self.target_head.parameters()]

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        # Each view has its own batch statistics, as in the paper's code.
        p1, p2 = (self.predictor(self.project(self.encoder(view))) for view in views)
        with torch.no_grad():
            z1, z2 = (self.target_head(self.target_encoder(view)) for view in views)
        p1, p2, z1, z2 = map(self.shard.gather, (p1, p2, z1, z2))
        loss = negative_cosine(p1, z2) / 2 + negative_cosine(p2, z1) / 2
        return MethodOutput(loss, chance=0.0)

    @torch.no_grad()
    def after_step(self) -> None:
        """Target <- momentum * target + (1 - momentum) * network."""
        trained = [*self.encoder.parameters(), *self.head.parameters()]
        for target, parameter in zip(self._target_parameters(), trained, strict=True):
            target.lerp_(parameter, 1 - self.momentum)

    def load_inference_state(self, state: dict[str, Tensor]) -> None:
        super().load_inference_state(state)
        self.target_encoder.load_state_dict(self.encoder.state_dict())
        self.target_head.load_state_dict(self.head.state_dict())

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        """Targets are by the trained network, an approximation of its moving average, which is not saved."""
        anatomy = negative_cosine_anatomy(*self.predictor(z).chunk(2), *z.chunk(2))
        return LossBreakdown(anatomy, *view_columns(len(z)), chance=0.0)
