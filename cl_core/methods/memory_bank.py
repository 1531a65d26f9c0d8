"""Memory banks: a stored key for every instance of the data (Wu et al. 2018), and the two methods that use one.

The keys of a batch are refreshed after its step, so most keys are one epoch old: many negatives for
little work, but stale ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_core.anatomy import info_nce_anatomy, nce_anatomy
from cl_core.encoders import Encoder
from cl_core.heads import projection_head
from cl_core.losses import bank_chance_level, info_nce, log_partition, nce, nce_chance_level, negative_sampling
from cl_core.methods.base import ColumnKind, Comparison, DataShape, Method, MethodOutput, MethodSettings

LOG_Z_MOMENTUM = 0.9


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
    """One view of each picture is compared with its own stored key and with drawn keys of others."""

    views = 1

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.head = projection_head(
            encoder.dim, settings.projection_hidden, settings.projection_dim, settings.projection_last_norm
        )
        self.bank = MemoryBank(data.instances, settings.projection_dim, settings.bank_momentum)
        self.temperature = settings.temperature
        self.negatives = min(settings.negatives, max(1, data.instances - 1))
        self._seen: tuple[Tensor, Tensor] | None = None

    def project(self, features: Tensor) -> Tensor:
        return self.head(features)

    def _query(self, views: Sequence[Tensor], instances: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        z = self.project(self.encoder(views[0]))
        self._seen = (instances, z.detach())
        return z, self.bank.draw(self.negatives, generator)

    def after_step(self) -> None:
        if self._seen is not None:
            self.bank.refresh(*self._seen)
            self._seen = None

    def _columns(self, instances: Tensor, columns: int) -> tuple[list[ColumnKind], Tensor, Tensor]:
        """Kinds and ids of the columns `[own keys | drawn keys]`, and the drawn instances."""
        generator = torch.Generator().manual_seed(0)
        drawn = self.bank.draw(min(columns, self.negatives), generator)
        ids = torch.cat([instances, drawn])
        return ["bank"] * len(ids), ids, drawn


class InfoNCEBank(BankMethod):
    """InfoNCE against the bank."""

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        z, drawn = self._query(views, instances, generator)
        own = drawn[None] == instances[:, None]  # an instance is not its own negative
        loss = info_nce(z, self.bank.keys[instances], self.bank.keys[drawn], self.temperature, own)
        return MethodOutput(loss, bank_chance_level(self.negatives))

    def compare(self, z: Tensor, labels: Tensor, instances: Tensor, columns: int) -> Comparison:
        kinds, ids, drawn = self._columns(instances, columns)
        own = drawn[None] == instances[:, None]
        first = z.chunk(2)[0]
        anatomy = info_nce_anatomy(first, self.bank.keys[instances], self.bank.keys[drawn], self.temperature, own)
        return Comparison(anatomy, kinds, ids, bank_chance_level(len(drawn)))


class NCEBank(BankMethod):
    """Instance discrimination by NCE (Wu et al. 2018, section 3.2): is this key the instance's own, or noise?

    The score is cosine / temperature - log Z. Z is estimated anew at every step from the noise and
    averaged over steps; estimated once, as is often done, it is soon wrong, for cosines spread as training goes.
    """

    log_z: Tensor

    def __init__(self, encoder: Encoder, settings: MethodSettings, data: DataShape) -> None:
        super().__init__(encoder, settings, data)
        self.register_buffer("log_z", torch.tensor(torch.nan))
        self.correction = settings.nce_correction

    def _log_kq(self, noise: int) -> float:
        return math.log(noise / len(self.bank))

    def forward(self, views: Sequence[Tensor], labels: Tensor, instances: Tensor, generator: torch.Generator) -> MethodOutput:
        z, drawn = self._query(views, instances, generator)
        own = drawn[None] == instances[:, None]
        unit = F.normalize(z.float(), dim=1)
        data = (unit * self.bank.keys[instances]).sum(1) / self.temperature
        with torch.autocast(unit.device.type, enabled=False):
            noise = unit @ self.bank.keys[drawn].T / self.temperature
        if self.correction:
            estimate = log_partition(noise.detach(), len(self.bank))
            moved = LOG_Z_MOMENTUM * self.log_z + (1 - LOG_Z_MOMENTUM) * estimate
            self.log_z.copy_(torch.where(self.log_z.isnan(), estimate, moved))
            log_kq = self._log_kq(self.negatives)
            loss = nce(data - self.log_z, noise - self.log_z, log_kq, log_kq, own)
        else:
            loss = negative_sampling(data, noise, own)
        return MethodOutput(loss, nce_chance_level(self.negatives))

    def compare(self, z: Tensor, labels: Tensor, instances: Tensor, columns: int) -> Comparison:
        kinds, ids, drawn = self._columns(instances, columns)
        own = drawn[None] == instances[:, None]
        log_z, log_kq = (self._shown_log_z(z, drawn), self._log_kq(len(drawn))) if self.correction else (0.0, 0.0)
        anatomy = nce_anatomy(
            z.chunk(2)[0], self.bank.keys[instances], self.bank.keys[drawn], self.temperature, log_z, log_kq, own
        )
        return Comparison(anatomy, kinds, ids, nce_chance_level(len(drawn)))

    def _shown_log_z(self, z: Tensor, drawn: Tensor) -> float:
        """The learned log Z; of a network that never took a step, the estimate its first step would make."""
        if not bool(self.log_z.isnan()):
            return float(self.log_z)
        return float(log_partition(F.normalize(z, dim=1) @ self.bank.keys[drawn].T / self.temperature, len(self.bank)))
