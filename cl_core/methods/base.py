"""What every method is: an encoder, a head, and a loss over the views of a batch."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn

from cl_core.encoders import Encoder


@dataclasses.dataclass(frozen=True)
class MethodOutput:
    """loss: scalar; chance: the loss of a model that has learned nothing, for this batch."""

    loss: Tensor
    chance: float


class MethodSettings(Protocol):
    """The settings a method reads; a `RunConfig` has them all."""

    @property
    def projection_hidden(self) -> int: ...
    @property
    def projection_dim(self) -> int: ...
    @property
    def temperature(self) -> float: ...


class Method(nn.Module, ABC):
    """Networks and loss. `encoder` gives the feature h, `project` the embedding z the loss compares."""

    def __init__(self, encoder: Encoder, settings: MethodSettings) -> None:
        super().__init__()
        self.encoder = encoder

    @abstractmethod
    def project(self, features: Tensor) -> Tensor:
        """h (N, encoder.dim) -> z (N, D)."""

    @abstractmethod
    def forward(self, views: Sequence[Tensor], labels: Tensor, indices: Tensor) -> MethodOutput:
        """Loss of one batch.

        Args:
            views: one tensor (N, 3, S, S) a view, float in [0, 1].
            labels, indices: (N,) int64, the pictures' labels and positions in the data set.
        """
