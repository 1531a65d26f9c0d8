"""SupCon (Khosla et al. 2020): like SimCLR, with all views of the same class as positives."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from cl_core.losses import class_counts, sup_con
from cl_core.losses.anatomy import sup_con_anatomy
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


class SupCon(HeadMethod):
    """Supervised contrastive loss over two or more views."""

    takes_views = True

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.temperature = Temperature(settings)
        self.view_total = self.view_count(settings)
        self.form = settings.sup_con_form

    @staticmethod
    def uses_labels(settings: MethodSettings) -> bool:
        return True

    def _chance(self, labels: Tensor) -> float:
        """Loss of identical embeddings: log(M - 1), minus the mean log of the number of positives in the form `in-sum`.

        labels: (M,) of all views.
        """
        chance = math.log(len(labels) - 1)
        if self.form == "in-sum":
            chance -= float((class_counts(labels) - 1).float().log().mean())
        return chance

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        z = torch.cat([self.shard.gather(z) for z in self.queries_of(views).chunk(self.view_total)])
        of_views = labels.repeat(self.view_total)
        return MethodOutput(sup_con(z, of_views, self.temperature(self.shard), self.form), self._chance(of_views))

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        anatomy = sup_con_anatomy(z, labels.repeat(2), self.temperature.value, self.form)
        return LossBreakdown(anatomy, *view_columns(len(z)), self._chance(labels.repeat(2)))
