"""Base class of methods: an encoder, a projection head, and a loss over the views of a batch."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_core.losses import SupConForm
from cl_core.losses.anatomy import Anatomy
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.heads import projection_head

ColumnKind = Literal["view", "bank", "queue", "class"]


@dataclasses.dataclass(frozen=True)
class MethodOutput:
    """Result of a training step.

    Attributes:
        loss: scalar tensor.
        chance: chance level of the loss for this batch.
    """

    loss: Tensor
    chance: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The loss of one batch taken apart.

    Attributes:
        anatomy: its rows are the first R views of `[first; second]`.
        kinds: kind of each column.
        ids: (C,) int64, identity of each column: position of a view, instance of a key in a bank or queue (-1 for a random
            entry of the queue), or class.
        chance: chance level of the loss.
    """

    anatomy: Anatomy
    kinds: list[ColumnKind]
    ids: Tensor
    chance: float


@dataclasses.dataclass(frozen=True)
class StoredKeys:
    """Keys of a memory bank or queue.

    Attributes:
        instances: (K,) int64, instance of each key; -1 for random keys of a queue that is not full yet.
        keys: (K, D) float32.
        saved: whether the keys are those of training; a large bank is not saved with a finished model.
    """

    instances: Tensor
    keys: Tensor
    saved: bool = True


@dataclasses.dataclass(frozen=True)
class DataShape:
    """Number of instances (groups of images) and of classes in the training data."""

    instances: int = 0
    classes: int = 0


class MethodSettings(Protocol):
    """Settings of methods, all of them fields of `RunConfig`."""

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
    """The shard of each batch that this process encodes in distributed training.

    Attributes:
        gather: rows of the shard -> rows of the whole batch, differentiable with respect to the shard.
        own: rows of the whole batch -> rows of the shard.
        parts: number of shards.
    """

    gather: Callable[[Tensor], Tensor] = lambda values: values
    own: Callable[[Tensor], Tensor] = lambda values: values
    parts: int = 1


class Method(nn.Module, ABC):
    """Networks and loss. `encoder` computes the feature h, `project` the embedding z.

    Attributes:
        trainable: whether the method has a loss to train with.
        has_head: whether z differs from h.
        views: number of views of each image in a step.
        has_temperature: whether the loss has a temperature.
        training_only: prefixes of state entries that inference does not need.
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
        """Whether the loss uses labels."""
        return False

    @abstractmethod
    def project(self, features: Tensor) -> Tensor:
        """h (N, encoder.dim) -> z (N, D)."""

    @abstractmethod
    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        """Loss of one batch.

        Args:
            views: one tensor (N, 3, S, S) per view, float in [0, 1]; in distributed training the shard of this process.
            labels, instances: (N,) int64, labels and instances of the whole batch.
            generator: for random draws, on the device of the views.
        """

    @abstractmethod
    def compare(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> Comparison:
        """Compute the loss of one batch term by term.

        Args:
            z: embeddings (2N, D) of two views of N images, stacked `[first; second]`.
            labels, instances: (N,) int64, as in `forward`.
            stored: result of `stored_keys`; needed by methods with a bank or queue.
        """

    def stored_keys(self, instances: Tensor, count: int) -> StoredKeys | None:
        """Stored keys for a batch of `instances` (N,) int64, at most `count` of them negatives; None without a bank or queue."""
        return None

    def queries_of(self, views: Sequence[Tensor]) -> Tensor:
        """Embeddings of the views that training compares with keys: here of all, the first ones first."""
        return self.project(self.encoder(torch.cat(list(views))))

    @torch.no_grad()
    def keys_of(self, views: Sequence[Tensor], generator: torch.Generator) -> Tensor:
        """The keys that the current weights give for the views of a step, of length 1.

        Without a bank or queue these are the queries themselves: each view of a batch is a key of the others.

        Args:
            views, generator: as in `forward`.
        """
        return F.normalize(self.queries_of(views).float(), dim=1)

    def after_step(self) -> None:
        """Called after each optimizer step: update a bank, a queue or a key encoder."""

    def inference_state(self) -> dict[str, Tensor]:
        """The state dict without the entries that only training needs."""
        return {name: value for name, value in self.state_dict().items() if not name.startswith(self.training_only)}

    def load_inference_state(self, state: dict[str, Tensor]) -> None:
        """Load an `inference_state`.

        Raises:
            RuntimeError: entries are missing or unexpected.
        """
        missing, unexpected = self.load_state_dict(state, strict=False)
        missing = [name for name in missing if not name.startswith(self.training_only)]
        if missing or unexpected:
            raise RuntimeError(f"missing {missing}, unexpected {unexpected}")


def head_for(encoder: Encoder, settings: MethodSettings) -> nn.Sequential:
    """Projection head with the widths of the settings."""
    return projection_head(encoder.dim, settings.projection_hidden, settings.projection_dim, settings.projection_last_norm)


def view_columns(count: int) -> tuple[list[ColumnKind], Tensor]:
    """Kinds and ids of the columns of a loss that compares views with views."""
    return ["view"] * count, torch.arange(count)
