"""Search of the nearest vectors by cosine: exact up to half a million vectors, with an HNSW index above."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from torch import Tensor

from cl_core.explore.flat_index import FlatIndex
from cl_core.explore.hnsw import Progress, hnsw_index

EXACT_UP_TO = 500_000  # vectors; exact search of so many takes 15 ms on two cores


class VectorIndex(Protocol):
    """Vectors (N, D) float32 of length 1 that can be searched."""

    @property
    def vectors(self) -> Tensor: ...

    def search(self, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Cosines (Q, K) and rows (Q, K) int64 of the K = min(count, N) vectors nearest to each query (Q, D), best first."""


def build_index(vectors: Tensor, file: Path | None = None, progress: Progress | None = None, database: str = "") -> VectorIndex:
    """An index of vectors (N, D) float32 of length 1: a `FlatIndex` up to `EXACT_UP_TO` vectors, else an `HNSWIndex`.

    Args:
        file: where graphs are stored, see `hnsw_index`; its stem identifies the vectors.
        progress: called with the fraction done, 0 to 1, while an index is built.
        database: address of a PostgreSQL server with pgvector that holds the index instead, see `filled_index`.

    Raises:
        UserError: the database cannot be used.
    """
    if len(vectors) <= EXACT_UP_TO:
        return FlatIndex(vectors)
    if database and file:
        from cl_core.explore.postgres_index import filled_index

        return filled_index(vectors, database, file.stem, progress)
    return hnsw_index(vectors, file, progress)
