"""Approximate search of many vectors: graphs of neighbors (HNSW, Malkov and Yashunin 2018, by usearch) of a million vectors each.

One graph at a time is built, so memory is bounded, and a build that was interrupted resumes after the last stored graph.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cl_core.errors import UserError
from cl_core.explore.flat_index import FlatIndex
from cl_core.system.files import replace_file

SHARD = 1_000_000  # vectors of a graph
ADD_BATCH = 50_000
MAX_RESULTS = 1_000  # more are searched for exactly
EXPANSION = 256  # candidates of a search in one graph; more give higher recall and take longer

Progress = Callable[[float], None]


@dataclasses.dataclass(frozen=True)
class HNSWIndex:
    """Graphs of neighbors over parts of the vectors. It may miss a neighbor.

    Cosines are computed from the vectors in float32, so they are exact.

    vectors: (N, D) float32 of length 1. graphs: the i-th covers the vectors from `i * SHARD` on.
    """

    vectors: Tensor
    graphs: list[Any]

    def search(self, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Cosines (Q, K) and rows (Q, K) int64 of the K = min(count, N) vectors nearest to each query (Q, D), best first."""
        count = min(count, len(self.vectors))
        if count > MAX_RESULTS:
            return FlatIndex(self.vectors).search(queries, count)
        rows = torch.cat([self._nearest(number, queries, count) for number in range(len(self.graphs))], 1)
        cosines = (self.vectors[rows] @ queries[:, :, None])[:, :, 0]
        cosines, order = cosines.sort(dim=1, descending=True, stable=True)
        return cosines[:, :count], rows.gather(1, order)[:, :count]

    def _nearest(self, number: int, queries: Tensor, count: int) -> Tensor:
        """Rows that one graph finds, (Q, min(count, its size)) int64."""
        graph, start = self.graphs[number], number * SHARD
        count = min(count, len(graph))
        matches = graph.search(queries.numpy(), count)
        keys = torch.from_numpy(matches.keys.astype("int64")).view(len(queries), -1)
        if int(np.min(getattr(matches, "counts", count))) < count or keys.shape[1] < count:  # some cannot be reached in the graph
            keys = FlatIndex(self.vectors[start : start + len(graph)]).search(queries, count)[1]
        return keys + start


def hnsw_index(vectors: Tensor, file: Path | None = None, progress: Progress | None = None) -> HNSWIndex:
    """An index of vectors (N, D) float32 of length 1, which may be memory-mapped.

    Args:
        file: each graph is stored beside it, with a number in its name; stored graphs are memory-mapped.
        progress: called with the fraction done, 0 to 1, while graphs are built.
    """
    graphs = []
    for start in range(0, len(vectors), SHARD):
        part = vectors[start : start + SHARD]
        stored = file and file.with_name(f"{file.stem}-{start // SHARD}{file.suffix}")
        graph = _stored(stored, part) if stored else None
        if graph is None:
            graph = _build(part, start / len(vectors), len(part) / len(vectors), progress)
            if stored:
                _store(graph, stored)
                graph = _stored(stored, part) or graph  # memory-mapped from here on
        graphs.append(graph)
    return HNSWIndex(vectors, graphs)


def _empty_graph(dim: int) -> Any:
    from usearch.index import Index

    # bf16 halves the memory; cosines of the results are computed again in float32.
    return Index(ndim=dim, metric="ip", dtype="bf16", connectivity=16, expansion_add=128, expansion_search=EXPANSION)


def _build(vectors: Tensor, before: float, fraction: float, progress: Progress | None) -> Any:
    """A graph of vectors that are `fraction` of all, `before` of which are in earlier graphs."""
    graph = _empty_graph(vectors.shape[1])
    for start in range(0, len(vectors), ADD_BATCH):
        part = vectors[start : start + ADD_BATCH]
        graph.add(np.arange(start, start + len(part)), part.numpy(), threads=torch.get_num_threads())
        if progress:
            progress(before + fraction * (start + len(part)) / len(vectors))
    return graph


def _store(graph: Any, file: Path) -> None:
    with contextlib.suppress(UserError):  # a full disk costs time, not the answer
        replace_file(file, lambda temporary: graph.save(str(temporary)))


def _stored(file: Path, vectors: Tensor) -> Any | None:
    """The memory-mapped graph of a file; None where it is missing, damaged, or has another number of vectors."""
    if not file.is_file():
        return None
    graph = _empty_graph(vectors.shape[1])
    try:
        graph.view(str(file))
    except (RuntimeError, ValueError):
        return None
    return graph if len(graph) == len(vectors) else None
