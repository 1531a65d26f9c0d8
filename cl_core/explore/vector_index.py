"""Search of the nearest vectors by cosine: exact up to a million vectors, with an HNSW index above."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from cl_core.errors import UserError
from cl_core.system.files import replace_file

EXACT_UP_TO = 1_000_000  # vectors; exact search of so many takes a tenth of a second on two cores
CHUNK_ENTRIES = 2**25  # cosines in memory at a time, 134 MB
ADD_BATCH = 50_000
EXPANSION = 256  # candidates of an HNSW search; more give higher recall and take longer

Progress = Callable[[float], None]


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


@dataclasses.dataclass(frozen=True)
class HNSWIndex:
    """Approximate search in a graph of neighbors (HNSW, Malkov and Yashunin 2018, by usearch).

    It may miss a neighbor. Cosines are computed from the vectors in float32, so they are exact.
    """

    vectors: Tensor
    index: Any

    def search(self, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        matches = self.index.search(queries.numpy(), min(count, len(self.vectors)))
        keys = torch.from_numpy(matches.keys.astype("int64")).view(len(queries), -1)
        cosines = (self.vectors[keys] @ queries[:, :, None])[:, :, 0]
        cosines, order = cosines.sort(dim=1, descending=True, stable=True)
        return cosines, keys.gather(1, order)


def _empty_index(dim: int) -> Any:
    from usearch.index import Index

    # bf16 halves the memory; cosines of the results are computed again in float32.
    return Index(ndim=dim, metric="ip", dtype="bf16", connectivity=16, expansion_add=128, expansion_search=EXPANSION)


def _build_hnsw(vectors: Tensor, progress: Progress | None) -> Any:
    import numpy as np

    index = _empty_index(vectors.shape[1])
    for start in range(0, len(vectors), ADD_BATCH):
        part = vectors[start : start + ADD_BATCH]
        index.add(np.arange(start, start + len(part)), part.numpy(), threads=torch.get_num_threads())
        if progress:
            progress((start + len(part)) / len(vectors))
    return index


def build_index(vectors: Tensor, file: Path | None = None, progress: Progress | None = None) -> VectorIndex:
    """An index of vectors (N, D) float32 of length 1: a `FlatIndex` up to `EXACT_UP_TO` vectors, else an `HNSWIndex`.

    Args:
        file: stores the graph; an existing file with the same number of vectors is memory-mapped.
        progress: called with the fraction done, 0 to 1, while a graph is built.
    """
    if len(vectors) <= EXACT_UP_TO:
        return FlatIndex(vectors)
    if file is not None and file.is_file():
        index = _empty_index(vectors.shape[1])
        try:
            index.view(str(file))
            if len(index) == len(vectors):
                return HNSWIndex(vectors, index)
        except (RuntimeError, ValueError):
            pass  # truncated or of another kind: the graph is built again
    index = _build_hnsw(vectors, progress)
    if file is not None:
        with contextlib.suppress(UserError):  # a full disk costs time, not the answer
            replace_file(file, lambda temporary: index.save(str(temporary)))
    return HNSWIndex(vectors, index)
