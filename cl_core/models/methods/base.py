"""What every method is: an encoder, a head, and a loss over the views of a batch."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor, nn

from cl_core.losses import SupConForm
from cl_core.losses.anatomy import Anatomy
from cl_core.models.encoders.base import Encoder
from cl_core.models.heads import projection_head

ColumnKind = Literal["view", "bank", "queue", "class"]


@dataclasses.dataclass(frozen=True)
class MethodOutput:
    """loss: scalar; chance: the loss of a model that has learned nothing, for this batch."""

    loss: Tensor
    chance: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What a method's loss compares in one batch, for showing.

    anatomy: its rows are the first R views of `[first; second]`.
    kinds, ids: one a column: what stands there, and which (a view's position among the views, an
        instance for bank and queue, -1 if the queue's entry is still random, a class).
    chance: loss of a model that has learned nothing.
    """

    anatomy: Anatomy
    kinds: list[ColumnKind]
    ids: Tensor
    chance: float


@dataclasses.dataclass(frozen=True)
class StoredKeys:
    """Keys (K, D) that a bank or queue holds, and the instances (K,) they show; -1 where a key is still random.

    known: whether the keys are the training's; a large bank is not kept with a finished model.
    """

    instances: Tensor
    keys: Tensor
    known: bool = True


@dataclasses.dataclass(frozen=True)
class DataShape:
    """What a method must know of its data: how many instances (groups of images) it trains on, how many classes."""

    instances: int = 0
    classes: int = 0


class MethodSettings(Protocol):
    """The settings methods read; a `RunConfig` has them all."""

    @property
    def projection_hidden(self) -> int: ...
    @property
    def projection_dim(self) -> int: ...
    @property
    def projection_last_norm(self) -> bool: ...
    @property
    def temperature(self) -> float: ...
    @property
    def exclude_false_negatives(self) -> bool: ...
    @property
    def sup_con_form(self) -> SupConForm: ...
    @property
    def stop_gradient(self) -> bool: ...
    @property
    def predictor(self) -> bool: ...
    @property
    def predictor_hidden(self) -> int: ...
    @property
    def negatives(self) -> int: ...
    @property
    def bank_momentum(self) -> float: ...
    @property
    def queue_size(self) -> int: ...
    @property
    def key_momentum(self) -> float: ...
    @property
    def batch_norm_splits(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class Shard:
    """This process's part of a batch, where several train together.

    gather: rows of a shard -> rows of the whole batch, differentiable in the shard's own. own: the shard's rows of a
    whole batch. parts: how many shards there are.
    """

    gather: Callable[[Tensor], Tensor] = lambda values: values
    own: Callable[[Tensor], Tensor] = lambda values: values
    parts: int = 1


class Method(nn.Module, ABC):
    """Networks and loss. `encoder` gives the feature h, `project` the embedding z.

    trainable: whether a training may use it. has_head: whether z is anything else than h.
    views: how many views of each image a step takes.
    has_temperature: whether the loss divides by one.
    training_only: parts of the state that a finished model does not need.
    """

    trainable: ClassVar[bool] = True
    has_head: ClassVar[bool] = True
    views: ClassVar[int] = 2
    has_temperature: ClassVar[bool] = True
    training_only: ClassVar[tuple[str, ...]] = ()

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__()
        self.encoder = encoder
        self.shard = Shard()

    @staticmethod
    def uses_labels(settings: MethodSettings) -> bool:
        """Whether the loss reads the images' labels."""
        return False

    @abstractmethod
    def project(self, features: Tensor) -> Tensor:
        """h (N, encoder.dim) -> z (N, D)."""

    @abstractmethod
    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        """Loss of one batch.

        Args:
            views: one tensor (N, 3, S, S) a view, float in [0, 1]; where several processes train, this one's shard.
            labels, instances: (N,) int64, the labels of the whole batch's images, and which instance each shows.
            generator: of whatever is drawn, on the views' device.
        """

    @abstractmethod
    def compare(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> Comparison:
        """Take the loss of one batch apart.

        Args:
            z: embeddings (2N, D) of two views of N images, stacked `[first; second]`.
            labels, instances: (N,) int64, as in `forward`.
            stored: what `stored_keys` gives, where the method keeps keys.
        """

    def stored_keys(self, instances: Tensor, count: int) -> StoredKeys | None:
        """The kept keys a batch of these instances (N,) is compared with, at most `count` of them as negatives."""
        return None

    def after_step(self) -> None:
        """What follows the optimizer's step: refresh a bank, fill a queue, move a key encoder."""

    def inference_state(self) -> dict[str, Tensor]:
        """The state without what only training needs."""
        return {name: value for name, value in self.state_dict().items() if not name.startswith(self.training_only)}

    def load_inference_state(self, state: dict[str, Tensor]) -> None:
        """Take up what `inference_state` gave.

        Raises:
            RuntimeError: it belongs to another network.
        """
        missing, unexpected = self.load_state_dict(state, strict=False)
        missing = [name for name in missing if not name.startswith(self.training_only)]
        if missing or unexpected:
            raise RuntimeError(f"missing {missing}, unexpected {unexpected}")


def head_for(encoder: Encoder, settings: MethodSettings) -> nn.Sequential:
    """The projection head that the settings describe."""
    return projection_head(encoder.dim, settings.projection_hidden, settings.projection_dim, settings.projection_last_norm)


def view_columns(count: int) -> tuple[list[ColumnKind], Tensor]:
    """The columns of a loss that compares views with views."""
    return ["view"] * count, torch.arange(count)
