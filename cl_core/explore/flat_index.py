"""Exact search of the nearest vectors by cosine."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

CHUNK_ENTRIES = 2**25  # cosines in memory at a time, 134 MB


@dataclasses.dataclass(frozen=True)
class FlatIndex:
    """Exact search: every query is compared with every vector, in chunks."""

    vectors: Tensor

    def search(self, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        step = max(1, CHUNK_ENTRIES // max(1, len(queries)))
        cosines, rows = torch.empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.long)
        for start in range(0, len(self.vectors), step):
            part = queries @ self.vectors[start : start + step].T
            values, index = part.topk(min(count, part.shape[1]), dim=1)
            # Results of earlier chunks come first, so of equal cosines the first row wins.
            cosines, rows = torch.cat([cosines, values], 1), torch.cat([rows, index + start], 1)
            cosines, order = cosines.sort(dim=1, descending=True, stable=True)
            cosines, rows = cosines[:, :count], rows.gather(1, order)[:, :count]
        return cosines, rows
