"""MoCo (He et al. 2020): a queue of keys from a momentum encoder, which makes them many and consistent."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_core.losses import info_nce, info_nce_chance_level
from cl_core.losses.anatomy import info_nce_anatomy
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.methods.base import (
    ColumnKind,
    DataShape,
    HeadMethod,
    LossBreakdown,
    MethodOutput,
    MethodSettings,
    StoredKeys,
)


class MoCo(HeadMethod):
    """Queries come from the trained encoder, keys from its moving average; the queue holds the negatives.

    Both encoders process the batch in parts, and those of the keys are shuffled, so that batch statistics do not leak
    which key belongs to which query (section 3.3; the parts correspond to devices in the paper). Keys in the queue of the
    query's own instance are excluded from its negatives: with small data sets they are still there from the last epoch.
    """

    training_only = ("key_encoder.", "key_head.")
    queue: Tensor
    queue_instances: Tensor
    queue_position: Tensor

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.key_encoder, self.key_head = copy.deepcopy(self.encoder), copy.deepcopy(self.head)
        for parameter in self._key_parameters():
            parameter.requires_grad_(False)
        self.register_buffer("queue", F.normalize(torch.randn(settings.queue_size, settings.projection_dim), dim=1))
        self.register_buffer("queue_instances", torch.full((settings.queue_size,), -1))
        self.register_buffer("queue_position", torch.zeros((), dtype=torch.long))
        self.temperature = settings.temperature
        self.momentum = settings.key_momentum
        self.splits = settings.batch_norm_splits
        self._keys: tuple[Tensor, Tensor] | None = None

    def _key_parameters(self) -> list[nn.Parameter]:
        return [*self.key_encoder.parameters(), *self.key_head.parameters()]

    def _in_parts(self, encoder: nn.Module, head: nn.Module, views: Tensor) -> Tensor:
        """Encode the batch in parts, each with its own batch statistics."""
        splits = max(1, self.splits // self.shard.parts)
        parts = views.tensor_split(min(splits, max(1, len(views) // 2)))  # at least two images each
        return torch.cat([head(encoder(part)) for part in parts])

    def queries_of(self, views: Sequence[Tensor]) -> Tensor:
        return self._in_parts(self.encoder, self.head, views[0])

    @torch.no_grad()
    def keys_of(self, views: Sequence[Tensor], generator: torch.Generator) -> Tensor:
        second = self.shard.gather(views[1])
        order = torch.randperm(len(second), generator=generator, device=second.device)
        shuffled = second[self.shard.own(order)].contiguous(memory_format=torch.channels_last)
        keys = self.shard.gather(self._in_parts(self.key_encoder, self.key_head, shuffled))
        return F.normalize(keys.float(), dim=1)[order.argsort()]

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        query = self.shard.gather(self.queries_of(views))
        keys = self.keys_of(views, generator)
        own = self.queue_instances[None] == instances[:, None]
        loss = info_nce(query, keys, self.queue, self.temperature, own)
        self._keys = (instances, keys)
        return MethodOutput(loss, info_nce_chance_level(len(self.queue)))

    @torch.no_grad()
    def after_step(self) -> None:
        """Key encoder <- momentum * key encoder + (1 - momentum) * encoder; the keys of the batch replace the oldest."""
        trained = [*self.encoder.parameters(), *self.head.parameters()]
        for key, query in zip(self._key_parameters(), trained, strict=True):
            key.lerp_(query, 1 - self.momentum)
        if self._keys is not None:
            instances, keys = self._keys
            places = (self.queue_position + torch.arange(len(keys), device=keys.device)) % len(self.queue)
            self.queue[places], self.queue_instances[places] = keys, instances
            self.queue_position.add_(len(keys)).remainder_(len(self.queue))
            self._keys = None

    def load_inference_state(self, state: dict[str, Tensor]) -> None:
        super().load_inference_state(state)
        self.key_encoder.load_state_dict(self.encoder.state_dict())
        self.key_head.load_state_dict(self.head.state_dict())

    def stored_keys(self, instances: Tensor, count: int) -> StoredKeys:
        """The newest entries of the queue, newest first."""
        newest = (self.queue_position - 1 - torch.arange(min(count, len(self.queue)))) % len(self.queue)
        return StoredKeys(self.queue_instances[newest], self.queue[newest])

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        """Keys are the second views by the trained encoder, an approximation of the key encoder, which is not saved."""
        assert stored is not None
        first, second = z.chunk(2)
        own = stored.instances[None] == instances[:, None]
        anatomy = info_nce_anatomy(first, second, stored.keys, self.temperature, own)
        views: list[ColumnKind] = ["view"] * len(second)
        queued: list[ColumnKind] = ["queue"] * len(stored.keys)
        ids = torch.cat([torch.arange(len(second)) + len(first), stored.instances])
        return LossBreakdown(anatomy, views + queued, ids, info_nce_chance_level(len(stored.keys)))
