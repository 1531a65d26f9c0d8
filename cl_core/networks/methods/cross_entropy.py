"""Supervised baseline: cross-entropy of a linear classifier on the encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_core.losses.anatomy import cross_entropy_anatomy
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.methods.base import DataShape, LossBreakdown, Method, MethodOutput, MethodSettings, StoredKeys


class CrossEntropy(Method):
    """Linear classifier; `project` computes its logits."""

    views = 1
    has_temperature = False

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.classifier = nn.Linear(encoder.dim, data.classes)

    @staticmethod
    def uses_labels(settings: MethodSettings) -> bool:
        return True

    def project(self, features: Tensor) -> Tensor:
        return self.classifier(features)

    def feature_layers(self) -> tuple[nn.Linear, nn.Module | None]:
        return self.classifier, None

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        logits = self.shard.gather(self.project(self.encoder(views[0])).float())
        return MethodOutput(F.cross_entropy(logits, labels), math.log(logits.shape[1]))

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        """Views against the classes present in the batch."""
        present, position = labels.unique(return_inverse=True)
        anatomy = cross_entropy_anatomy(z[:, present], position.repeat(2))
        return LossBreakdown(anatomy, ["class"] * len(present), present, math.log(max(1, len(present))))
