"""Methods with a memory bank: one stored key per instance (Wu et al. 2018).

The keys of a batch are updated after its step. This gives many negatives at little cost, but a key is about half an epoch old
on average.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_core.losses import (
    info_nce,
    info_nce_chance_level,
    log_partition,
    nce,
    nce_chance_level,
)
from cl_core.losses.anatomy import info_nce_anatomy, nce_anatomy
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

LOG_Z_MOMENTUM = 0.9
MAX_SAVED_KEYS = 10_000  # a larger bank is not saved with a finished model: it would dominate the file size


class MemoryBank(nn.Module):
    """Keys of length 1 for G instances, (G, D); a key is random until its instance is first trained on."""

    keys: Tensor

    def __init__(self, instances: int, dim: int, momentum: float) -> None:
        super().__init__()
        self.register_buffer("keys", F.normalize(torch.randn(instances, dim), dim=1))
        self.momentum = momentum

    def __len__(self) -> int:
        return len(self.keys)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw distinct instances uniformly: (count,) int64."""
        return torch.randperm(len(self), generator=generator, device=self.keys.device)[:count]

    def refresh(self, instances: Tensor, z: Tensor) -> None:
        """key <- momentum * key + (1 - momentum) * z, normalized to length 1."""
        fresh = F.normalize(z.float(), dim=1)
        self.keys[instances] = F.normalize(self.momentum * self.keys[instances] + (1 - self.momentum) * fresh, dim=1)


class BankMethod(HeadMethod):
    """Base class: one view of each image is compared with its stored key and with randomly drawn keys."""

    views = 1

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.bank = MemoryBank(data.instances, settings.projection_dim, settings.bank_momentum)
        self.temperature = settings.temperature
        self.negatives = min(settings.negatives, max(1, data.instances - 1))
        self._batch: tuple[Tensor, Tensor] | None = None
        self._keys_saved = True

    def _query(self, views: Sequence[Tensor], instances: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        z = self.shard.gather(self.queries_of(views))
        self._batch = (instances, z.detach())
        return z, self.bank.draw(self.negatives, generator)

    def queries_of(self, views: Sequence[Tensor]) -> Tensor:
        return self.project(self.encoder(views[0]))

    def after_step(self) -> None:
        if self._batch is not None:
            self.bank.refresh(*self._batch)
            self._batch = None

    def inference_state(self) -> dict[str, Tensor]:
        state = super().inference_state()
        if len(self.bank) > MAX_SAVED_KEYS:
            del state["bank.keys"]
        return state

    def load_inference_state(self, state: dict[str, Tensor]) -> None:
        self._keys_saved = "bank.keys" in state
        super().load_inference_state(state if self._keys_saved else state | {"bank.keys": self.bank.keys})

    def stored_keys(self, instances: Tensor, count: int) -> StoredKeys:
        """The keys of the batch, then randomly drawn ones."""
        drawn = self.bank.draw(min(count, self.negatives), torch.Generator().manual_seed(0))
        rows = torch.cat([instances, drawn])
        return StoredKeys(rows, self.bank.keys[rows], self._keys_saved)


@dataclasses.dataclass(frozen=True)
class _Parts:
    """Stored keys: those of the batch (N, D), drawn ones (K, D), and a mask of drawn keys excluded from a row (N, K)."""

    own: Tensor
    drawn: Tensor
    excluded: Tensor


def _parts(stored: StoredKeys | None, instances: Tensor) -> _Parts:
    assert stored is not None
    count = len(instances)
    excluded = stored.instances[count:][None] == instances[:, None]
    return _Parts(stored.keys[:count], stored.keys[count:], excluded)


def _bank_columns(stored: StoredKeys | None) -> tuple[list[ColumnKind], Tensor]:
    assert stored is not None
    return ["bank"] * len(stored.instances), stored.instances


class InfoNCEBank(BankMethod):
    """InfoNCE with keys of the bank as negatives."""

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        z, drawn = self._query(views, instances, generator)
        own = drawn[None] == instances[:, None]  # exclude an instance from its own negatives
        loss = info_nce(z, self.bank.keys[instances], self.bank.keys[drawn], self.temperature, own)
        return MethodOutput(loss, info_nce_chance_level(self.negatives))

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        parts = _parts(stored, instances)
        anatomy = info_nce_anatomy(z.chunk(2)[0], parts.own, parts.drawn, self.temperature, parts.excluded)
        return LossBreakdown(anatomy, *_bank_columns(stored), info_nce_chance_level(len(parts.drawn)))


class NCEBank(BankMethod):
    """Instance discrimination by NCE (Wu et al. 2018, section 3.2): classify a key as the instance's own or as noise.

    The score is cosine / temperature - log Z. Log Z is a moving average of estimates from the noise of each step; the common
    single estimate at the first step becomes wrong, as the cosines spread during training.
    """

    has_softmax = False

    log_z: Tensor

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.register_buffer("log_z", torch.tensor(torch.nan))

    def _log_kq(self, noise: int) -> float:
        return math.log(noise / len(self.bank))

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        z, drawn = self._query(views, instances, generator)
        own = drawn[None] == instances[:, None]
        unit = F.normalize(z.float(), dim=1)
        data = (unit * self.bank.keys[instances]).sum(1) / self.temperature
        with torch.autocast(unit.device.type, enabled=False):
            noise = unit @ self.bank.keys[drawn].T / self.temperature
        estimate = log_partition(noise.detach(), len(self.bank))
        moved = LOG_Z_MOMENTUM * self.log_z + (1 - LOG_Z_MOMENTUM) * estimate
        self.log_z.copy_(torch.where(self.log_z.isnan(), estimate, moved))
        log_kq = self._log_kq(self.negatives)
        loss = nce(data - self.log_z, noise - self.log_z, log_kq, log_kq, own)
        return MethodOutput(loss, nce_chance_level(self.negatives))

    def loss_breakdown(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> LossBreakdown:
        parts, query = _parts(stored, instances), z.chunk(2)[0]
        log_z, log_kq = self._inference_log_z(query, parts.drawn), self._log_kq(len(parts.drawn))
        anatomy = nce_anatomy(query, parts.own, parts.drawn, self.temperature, log_z, log_kq, parts.excluded)
        return LossBreakdown(anatomy, *_bank_columns(stored), nce_chance_level(len(parts.drawn)))

    def _inference_log_z(self, query: Tensor, drawn: Tensor) -> float:
        """The trained log Z; before the first step, the estimate from `drawn`."""
        if not bool(self.log_z.isnan()):
            return float(self.log_z)
        return float(log_partition(F.normalize(query, dim=1) @ F.normalize(drawn, dim=1).T / self.temperature, len(self.bank)))
