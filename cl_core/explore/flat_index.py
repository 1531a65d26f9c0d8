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

    def search(self, queries: Tensor, count: int, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As `VectorIndex.search`; `among` (A,) int64 limits it to these rows, and the rows found are positions in it."""
        size = len(self.vectors) if among is None else len(among)
        step = max(1, CHUNK_ENTRIES // max(1, len(queries)))
        cosines, rows = torch.empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.long)
        if among is not None:  # their vectors are copied, a part at a time
            step = min(step, max(1, CHUNK_ENTRIES // self.vectors.shape[1]))
        for start in range(0, size, step):
            chosen = self.vectors[start : start + step] if among is None else self.vectors[among[start : start + step]]
            part = queries @ chosen.T
            values, index = part.topk(min(count, part.shape[1]), dim=1)
            # Results of earlier chunks come first, so of equal cosines the first row wins.
            cosines, rows = torch.cat([cosines, values], 1), torch.cat([rows, index + start], 1)
            cosines, order = cosines.sort(dim=1, descending=True, stable=True)
            cosines, rows = cosines[:, :count], rows.gather(1, order)[:, :count]
        return cosines, rows
