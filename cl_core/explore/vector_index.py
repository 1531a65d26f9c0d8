"""The vectors nearest to a query, by cosine: all compared up to a million, by an index above that."""

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

EXACT_UP_TO = 1_000_000  # vectors; so many are compared in a tenth of a second on two cores
CHUNK_ENTRIES = 2**25  # cosines held at a time, 134 MB
ADDED_AT_ONCE = 50_000
EXPANSION = 256  # candidates the index keeps while it searches: more are slower and miss less

Progress = Callable[[float], None]


class VectorIndex(Protocol):
    """Vectors (N, D) float32 of length 1 that can be searched."""

    @property
    def vectors(self) -> Tensor: ...

    def search(self, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Cosines (Q, K) and rows (Q, K) int64 of the K = min(count, N) nearest vectors to each query (Q, D), best first."""


@dataclasses.dataclass(frozen=True)
class FlatIndex:
    """Every query is compared with every vector, a part of them at a time."""

    vectors: Tensor

    def search(self, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        step = max(1, CHUNK_ENTRIES // max(1, len(queries)))
        cosines, rows = torch.empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.long)
        for start in range(0, len(self.vectors), step):
            part = queries @ self.vectors[start : start + step].T
            values, index = part.topk(min(count, part.shape[1]), dim=1)
            # What was found in earlier parts stands first, so of equals the first row wins.
            cosines, rows = torch.cat([cosines, values], 1), torch.cat([rows, index + start], 1)
            cosines, order = cosines.sort(dim=1, descending=True, stable=True)
            cosines, rows = cosines[:, :count], rows.gather(1, order)[:, :count]
        return cosines, rows


@dataclasses.dataclass(frozen=True)
class HNSWIndex:
    """A graph of neighbors (HNSW, Malkov and Yashunin 2018, by usearch) that looks at a small part of the vectors.

    The cosines of what it finds are computed from the vectors, so they are exact; it may miss a neighbor.
    """

    vectors: Tensor
    index: Any

    def search(self, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        wanted = min(count, len(self.vectors))
        found = self.index.search(queries.numpy(), wanted)
        keys = torch.from_numpy(found.keys.astype("int64")).view(len(queries), -1)
        cosines = (self.vectors[keys] @ queries[:, :, None])[:, :, 0]
        cosines, order = cosines.sort(dim=1, descending=True, stable=True)
        return cosines, keys.gather(1, order)


def _empty_index(dim: int) -> Any:
    from usearch.index import Index

    # bf16 halves the memory; what is found is compared again in float32.
    return Index(ndim=dim, metric="ip", dtype="bf16", connectivity=16, expansion_add=128, expansion_search=EXPANSION)


def _grown(vectors: Tensor, progress: Progress | None) -> Any:
    import numpy as np

    index = _empty_index(vectors.shape[1])
    for start in range(0, len(vectors), ADDED_AT_ONCE):
        part = vectors[start : start + ADDED_AT_ONCE]
        index.add(np.arange(start, start + len(part)), part.numpy(), threads=torch.get_num_threads())
        if progress:
            progress((start + len(part)) / len(vectors))
    return index


def nearest(vectors: Tensor, file: Path | None = None, progress: Progress | None = None) -> VectorIndex:
    """What searches these vectors (N, D) float32 of length 1: exact up to `EXACT_UP_TO`, an index above.

    Args:
        file: where the index is kept; one that lies there already and has as many vectors is used, memory-mapped.
        progress: called with the fraction done, 0 to 1, where an index must be built.
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
            pass  # cut off, or of another kind: it is built again
    index = _grown(vectors, progress)
    if file is not None:
        with contextlib.suppress(UserError):  # a full disk costs time, not the answer
            replace_file(file, lambda temporary: index.save(str(temporary)))
    return HNSWIndex(vectors, index)
