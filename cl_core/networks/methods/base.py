"""Base class of methods: an encoder, a projection head, and a loss over the views of a batch."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import ClassVar, Literal, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_core.losses import SupConForm
from cl_core.losses.anatomy import Anatomy
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.heads import projection_head
from cl_core.networks.whitening import Whitening, keep_output

ColumnKind = Literal["view", "bank", "queue", "class", "dimension"]


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
class LossBreakdown:
    """The loss of one batch taken apart.

    Attributes:
        anatomy: its rows are the first R views of `[first; second]`, or dimensions of the embeddings, as the columns.
        kinds: kind of each column.
        ids: (C,) int64, identity of each column: position of a view, instance of a key in a bank or queue (-1 for a random
            entry of the queue), class, or dimension.
        chance: chance level of the loss.
        terms: parts of a loss that is a sum, by name, with their weights.
    """

    anatomy: Anatomy
    kinds: list[ColumnKind]
    ids: Tensor
    chance: float
    terms: dict[str, float] = dataclasses.field(default_factory=dict)


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
    def batch_size(self) -> int: ...
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
    @property
    def whitening(self) -> float: ...
    @property
    def views(self) -> int: ...
    @property
    def small_views(self) -> int: ...
    @property
    def learn_temperature(self) -> bool: ...
    @property
    def decoupled_sigma(self) -> float: ...
    @property
    def hardness(self) -> float: ...
    @property
    def negative_prior(self) -> float: ...
    @property
    def redundancy_weight(self) -> float: ...
    @property
    def invariance_weight(self) -> float: ...
    @property
    def variance_weight(self) -> float: ...
    @property
    def covariance_weight(self) -> float: ...


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

    def shared(self, parameter: Tensor) -> Tensor:
        """A parameter of the loss of the whole batch: each process has its full gradient, and these are added up."""
        return parameter if self.parts == 1 else parameter / self.parts + parameter.detach() * (1 - 1 / self.parts)


class Method(nn.Module, ABC):
    """Networks and loss. `encoder` computes the feature h, `project` the embedding z.

    Attributes:
        trainable: whether the method has a loss to train with.
        has_head: whether z differs from h.
        views: number of views of each image in a step. takes_views: whether the settings give another number instead.
        has_temperature: whether the loss has a temperature.
        has_softmax: whether the rows of `loss_breakdown` are probabilities of a softmax, if the loss has a temperature.
        lowest_loss: the bound that curves show, where it is not 0.
        compares_dimensions: whether `loss_breakdown` has dimensions as rows and columns; a correlation needs many images.
        training_only: prefixes of state entries that inference does not need.
    """

    trainable: ClassVar[bool] = True
    has_head: ClassVar[bool] = True
    views: ClassVar[int] = 2
    takes_views: ClassVar[bool] = False
    has_temperature: ClassVar[bool] = True
    has_softmax: ClassVar[bool] = True
    lowest_loss: ClassVar[float | None] = None
    compares_dimensions: ClassVar[bool] = False
    training_only: ClassVar[tuple[str, ...]] = ()

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__()
        self.encoder = encoder
        if settings.whitening:
            encoder.whitening = Whitening(encoder.dim)
        self.shard = Shard()

    @staticmethod
    def uses_labels(settings: MethodSettings) -> bool:
        """Whether the loss uses labels."""
        return False

    @classmethod
    def view_count(cls, settings: MethodSettings) -> int:
        """Number of views of each image in a step with these settings."""
        return settings.views + settings.small_views if cls.takes_views else cls.views

    @abstractmethod
    def project(self, features: Tensor) -> Tensor:
        """h (N, encoder.dim) -> z (N, D)."""

    @abstractmethod
    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        """Loss of one batch.

        Args:
            views: one tensor (N, 3, S, S) per view, float in [0, 1], small crops last; in distributed training the shard of
                this process.
            labels, instances: (N,) int64, labels and instances of the whole batch.
            generator: for random draws, on the device of the views.
        """

    @abstractmethod
    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
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
        """Embeddings of the views that training compares with keys: here of all, the first ones first.

        Views of one size share a pass through the encoder, and its batch statistics.
        """
        of_sizes = [torch.cat(list(group)) for _, group in groupby(views, key=lambda view: view.shape[-1])]
        return self.project(torch.cat([self.encoder(group) for group in of_sizes]))

    @torch.no_grad()
    def keys_of(self, views: Sequence[Tensor], generator: torch.Generator) -> Tensor:
        """The keys that the current weights give for the views of a step, of length 1.

        Without a bank or queue these are the queries themselves: each view of a batch is a key of the others.

        Args:
            views, generator: as in `forward`.
        """
        return F.normalize(self.queries_of(views).float(), dim=1)

    @torch.no_grad()
    def whiten(self, compute_features: Callable[[], Tensor], strength: float) -> None:
        """Whiten the features, see `Whitening.fit`; embeddings z stay as they are.

        Args:
            compute_features: returns the features h of training images by this encoder, (N, dim) float32, not scaled to length 1.
            strength: in (0, 1], see `Whitening.fit`.

        Raises:
            ValueError: they are whitened already.
        """
        whitening = self.encoder.whitening
        assert whitening is not None
        if whitening.is_fitted:
            raise ValueError("the features are whitened already")
        inverse = whitening.fit(compute_features(), strength)
        first, norm = self.feature_layers()
        keep_output(first, norm, whitening.mean, inverse)

    def feature_layers(self) -> tuple[nn.Linear, nn.Module | None]:
        """The layer that reads the features, and the normalization after it, if there is one; needed by `whiten`."""
        raise NotImplementedError

    @property
    def loss_temperature(self) -> float | None:
        """The temperature of the loss, as it was learned or given; None without one."""
        found = getattr(self, "temperature", None)
        return found.value if isinstance(found, Temperature) else found

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


class HeadMethod(Method):
    """A method whose embeddings are those of a projection head."""

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.head = projection_head(
            encoder.dim, settings.projection_hidden, settings.projection_dim, settings.projection_last_norm
        )

    def project(self, features: Tensor) -> Tensor:
        return self.head(features)

    def feature_layers(self) -> tuple[nn.Linear, nn.Module | None]:
        first, norm = self.head[:2]
        return cast("nn.Linear", first), norm


class Temperature(nn.Module):
    """The temperature of a loss: a number, or learned as its logarithm (CLIP, Radford et al. 2021, section 2.5).

    A learned one stays within `BOUNDS`: without them it would fall until the loss is 0.
    """

    BOUNDS = 0.01, 10.0

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__()
        self.start = settings.temperature
        self.log: nn.Parameter | None = nn.Parameter(torch.tensor(math.log(self.start))) if settings.learn_temperature else None

    def forward(self, shard: Shard) -> float | Tensor:
        """The number, or a tensor () that gets its gradient, also at its bounds."""
        if self.log is None:
            return self.start
        log = shard.shared(self.log)
        within = log.detach().clamp(*map(math.log, self.BOUNDS))
        return (log + (within - log.detach())).exp()

    @property
    def value(self) -> float:
        with torch.no_grad():
            return float(self(Shard()))


def view_columns(count: int) -> tuple[list[ColumnKind], Tensor]:
    """Kinds and ids of the columns of a loss that compares views with views."""
    return ["view"] * count, torch.arange(count)


def dimension_columns(z: Tensor) -> tuple[list[ColumnKind], Tensor]:
    """Kinds and ids of the columns of a loss that compares dimensions."""
    kinds: list[ColumnKind] = ["dimension"] * z.shape[1]
    return kinds, torch.arange(z.shape[1])
