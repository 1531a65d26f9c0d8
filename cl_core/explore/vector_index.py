"""Search of the nearest vectors by cosine: exact up to half a million vectors, with an HNSW index above."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from cl_core.explore.hnsw import Progress, hnsw_index

EXACT_UP_TO = 500_000  # vectors; exact search of so many takes 15 ms on two cores
CHUNK_ENTRIES = 2**25  # cosines in memory at a time, 134 MB


class VectorIndex(Protocol):
    """Vectors (N, D) float32 of length 1 that can be searched."""

    @property
    def vectors(self) -> Tensor: ...

    def search(self, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Cosines (Q, K) and rows (Q, K) int64 of the K = min(count, N) vectors nearest to each query (Q, D), best first."""


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


def build_index(vectors: Tensor, file: Path | None = None, progress: Progress | None = None) -> VectorIndex:
    """An index of vectors (N, D) float32 of length 1: a `FlatIndex` up to `EXACT_UP_TO` vectors, else an `HNSWIndex`.

    Args:
        file: where graphs are stored, see `hnsw_index`.
        progress: called with the fraction done, 0 to 1, while a graph is built.
    """
    return FlatIndex(vectors) if len(vectors) <= EXACT_UP_TO else hnsw_index(vectors, file, progress)
