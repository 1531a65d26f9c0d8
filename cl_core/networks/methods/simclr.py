"""SimCLR (Chen et al. 2020): two or more views, one encoder, one projection head, NT-Xent."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cl_core.losses import class_counts, info_nce_views, info_nce_views_chance_level, nt_xent, nt_xent_chance_level
from cl_core.losses.anatomy import nt_xent_anatomy
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


class SimCLR(HeadMethod):
    """NT-Xent over two views; with more, each view is the anchor of all others of its image.

    `exclude_false_negatives` excludes views of the same class from the negatives of two views (needs labels).
    """

    takes_views = True

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.temperature = Temperature(settings)
        self.view_total = self.view_count(settings)
        self.exclude_false_negatives = settings.exclude_false_negatives

    @staticmethod
    def uses_labels(settings: MethodSettings) -> bool:
        return settings.exclude_false_negatives

    def _mask_labels(self, labels: Tensor) -> Tensor | None:
        return labels if self.exclude_false_negatives else None

    def _chance(self, labels: Tensor) -> float:
        if not self.exclude_false_negatives:
            return nt_xent_chance_level(len(labels))
        candidates = 2 * len(labels) - 1 - 2 * (class_counts(labels) - 1)  # without both views of the others of the class
        return float(candidates.float().log().mean())

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        # All views share batch statistics, as in the paper.
        z = [self.shard.gather(each) for each in self.queries_of(views).chunk(self.view_total)]
        if self.view_total == 2:
            return MethodOutput(
                nt_xent(z[0], z[1], self.temperature(self.shard), self._mask_labels(labels)), self._chance(labels)
            )
        return MethodOutput(
            info_nce_views(torch.stack(z), self.temperature(self.shard)),
            info_nce_views_chance_level(self.view_total, len(labels)),
        )

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        z1, z2 = z.chunk(2)
        anatomy = nt_xent_anatomy(z1, z2, self.temperature.value, self._mask_labels(labels))
        return LossBreakdown(anatomy, *view_columns(len(z)), self._chance(labels))
