"""Memory banks: a stored key for every instance of the data (Wu et al. 2018), and the two methods that use one.

The keys of a batch are refreshed after its step, so most keys are one epoch old: many negatives for
little work, but stale ones.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_core.losses import (
    bank_chance_level,
    info_nce,
    log_partition,
    nce,
    nce_chance_level,
)
from cl_core.losses.anatomy import info_nce_anatomy, nce_anatomy
from cl_core.models.encoders.base import Encoder
from cl_core.models.methods.base import (
    ColumnKind,
    Comparison,
    DataShape,
    Method,
    MethodOutput,
    MethodSettings,
    StoredKeys,
    head_for,
)

LOG_Z_MOMENTUM = 0.9
KEYS_SHOWN = 10_000  # a finished model keeps a bank of so many keys; a larger one would be most of what it weighs


class MemoryBank(nn.Module):
    """One key of length 1 for each of G instances, (G, D); random until an instance was first seen."""

    keys: Tensor

    def __init__(self, instances: int, dim: int, momentum: float) -> None:
        super().__init__()
        self.register_buffer("keys", F.normalize(torch.randn(instances, dim), dim=1))
        self.momentum = momentum

    def __len__(self) -> int:
        return len(self.keys)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Distinct instances, uniformly: (count,) int64."""
        return torch.randperm(len(self), generator=generator, device=self.keys.device)[:count]

    def refresh(self, instances: Tensor, z: Tensor) -> None:
        """key <- momentum * key + (1 - momentum) * z, back to length 1."""
        fresh = F.normalize(z.float(), dim=1)
        self.keys[instances] = F.normalize(self.momentum * self.keys[instances] + (1 - self.momentum) * fresh, dim=1)


class BankMethod(Method):
    """One view of each image is compared with its own stored key and with drawn keys of others."""

    views = 1

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.head = head_for(encoder, settings)
        self.bank = MemoryBank(data.instances, settings.projection_dim, settings.bank_momentum)
        self.temperature = settings.temperature
        self.negatives = min(settings.negatives, max(1, data.instances - 1))
        self._seen: tuple[Tensor, Tensor] | None = None
        self._knows_keys = True

    def project(self, features: Tensor) -> Tensor:
        return self.head(features)

    def _query(self, views: Sequence[Tensor], instances: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        z = self.shard.gather(self.project(self.encoder(views[0])))
        self._seen = (instances, z.detach())
        return z, self.bank.draw(self.negatives, generator)

    def after_step(self) -> None:
        if self._seen is not None:
            self.bank.refresh(*self._seen)
            self._seen = None

    def inference_state(self) -> dict[str, Tensor]:
        state = super().inference_state()
        if len(self.bank) > KEYS_SHOWN:
            del state["bank.keys"]
        return state

    def load_inference_state(self, state: dict[str, Tensor]) -> None:
        self._knows_keys = "bank.keys" in state
        super().load_inference_state(state if self._knows_keys else state | {"bank.keys": self.bank.keys})

    def stored_keys(self, instances: Tensor, count: int) -> StoredKeys:
        """The batch's own keys, then drawn ones."""
        drawn = self.bank.draw(min(count, self.negatives), torch.Generator().manual_seed(0))
        shown = torch.cat([instances, drawn])
        return StoredKeys(shown, self.bank.keys[shown], self._knows_keys)


@dataclasses.dataclass(frozen=True)
class _Parts:
    """Stored keys taken apart: the batch's own (N, D), the drawn ones (K, D), and which of those are a row's own (N, K)."""

    own: Tensor
    drawn: Tensor
    left_out: Tensor


def _parts(stored: StoredKeys | None, instances: Tensor) -> _Parts:
    assert stored is not None
    count = len(instances)
    left_out = stored.instances[count:][None] == instances[:, None]
    return _Parts(stored.keys[:count], stored.keys[count:], left_out)


def _bank_columns(stored: StoredKeys | None) -> tuple[list[ColumnKind], Tensor]:
    assert stored is not None
    return ["bank"] * len(stored.instances), stored.instances


class InfoNCEBank(BankMethod):
    """InfoNCE against the bank."""

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        z, drawn = self._query(views, instances, generator)
        own = drawn[None] == instances[:, None]  # an instance is not its own negative
        loss = info_nce(z, self.bank.keys[instances], self.bank.keys[drawn], self.temperature, own)
        return MethodOutput(loss, bank_chance_level(self.negatives))

    def compare(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> Comparison:
        parts = _parts(stored, instances)
        anatomy = info_nce_anatomy(z.chunk(2)[0], parts.own, parts.drawn, self.temperature, parts.left_out)
        return Comparison(anatomy, *_bank_columns(stored), bank_chance_level(len(parts.drawn)))


class NCEBank(BankMethod):
    """Instance discrimination by NCE (Wu et al. 2018, section 3.2): is this key the instance's own, or noise?

    The score is cosine / temperature - log Z. Z is estimated anew at every step from the noise and
    averaged over steps; estimated once, as is often done, it is soon wrong, for cosines spread as training goes.
    """

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

    def compare(self, z: Tensor, labels: Tensor, instances: Tensor, stored: StoredKeys | None = None) -> Comparison:
        parts, query = _parts(stored, instances), z.chunk(2)[0]
        log_z, log_kq = self._shown_log_z(query, parts.drawn), self._log_kq(len(parts.drawn))
        anatomy = nce_anatomy(query, parts.own, parts.drawn, self.temperature, log_z, log_kq, parts.left_out)
        return Comparison(anatomy, *_bank_columns(stored), nce_chance_level(len(parts.drawn)))

    def _shown_log_z(self, query: Tensor, drawn: Tensor) -> float:
        """The learned log Z; of a network that never took a step, the estimate its first step would make."""
        if not bool(self.log_z.isnan()):
            return float(self.log_z)
        return float(log_partition(F.normalize(query, dim=1) @ F.normalize(drawn, dim=1).T / self.temperature, len(self.bank)))
