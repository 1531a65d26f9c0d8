"""The embedded index of many vectors: time to build, recall@10 of the exact search, time of a search, memory.

python -m benchmarks.index FOLDER [--count 1000000]

FOLDER keeps vectors and graphs: a build that was interrupted resumes.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.explore.flat_index import FlatIndex
from cl_core.explore.hnsw import HNSWIndex, hnsw_index

DIM = 128
CENTERS, SPREAD = 1000, 0.8  # vectors around centers, as features of classes are
PART = 500_000  # vectors written at a time
QUERIES, NEAREST = 200, 10


def stored_vectors(folder: Path, count: int) -> Tensor:
    """(count, 128) float32 of length 1, memory-mapped; made at the first call."""
    file = folder / f"vectors-{count}.npy"
    if not file.is_file():
        generator = torch.Generator().manual_seed(0)
        centers = torch.randn(CENTERS, DIM, generator=generator)
        partial = file.with_suffix(".partial")
        mapped = np.lib.format.open_memmap(partial, "w+", np.float32, (count, DIM))
        for start in range(0, count, PART):
            size = min(PART, count - start)
            made = centers[torch.randint(0, CENTERS, (size,), generator=generator)]
            made.add_(torch.randn(size, DIM, generator=generator), alpha=SPREAD)
            mapped[start : start + size] = F.normalize(made, dim=1).numpy()
        mapped.flush()
        partial.rename(file)
    return torch.from_numpy(np.load(file, mmap_mode="c"))


def queries_near(vectors: Tensor) -> Tensor:
    """Queries (200, 128) near to vectors chosen at random."""
    generator = torch.Generator().manual_seed(1)
    rows = torch.randint(0, len(vectors), (QUERIES,), generator=generator)
    return F.normalize(vectors[rows] + 0.05 * torch.randn(QUERIES, DIM, generator=generator), dim=1)


def recall(found: Tensor, expected: Tensor) -> float:
    """Fraction of the expected rows (Q, K) that were found."""
    return (expected[:, :, None] == found[:, None]).any(2).float().mean().item()


def search_ms(index: HNSWIndex | FlatIndex, queries: Tensor) -> list[float]:
    """Time of a search for each query, sorted, milliseconds."""
    times = []
    for query in queries:
        began = time.perf_counter()
        index.search(query[None], NEAREST)
        times.append(1000 * (time.perf_counter() - began))
    return sorted(times)


def main() -> None:
    """Build, search, and print a line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=1_000_000)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    vectors = stored_vectors(options.folder, options.count)
    began = time.perf_counter()

    def report(fraction: float) -> None:
        print(f"{fraction:.1%} after {time.perf_counter() - began:.0f} s", flush=True)

    index = hnsw_index(vectors, options.folder / f"graph-{options.count}.usearch", report)
    built = time.perf_counter() - began
    queries, exact = queries_near(vectors), FlatIndex(vectors)
    expected = exact.search(queries, NEAREST)[1]
    found = index.search(queries, NEAREST)[1]
    times = search_ms(index, queries)
    print(
        json.dumps(
            {
                "vectors": options.count,
                "threads": torch.get_num_threads(),
                "build_s": round(built),
                "recall_10": round(recall(found, expected), 4),
                "median_ms": round(statistics.median(times), 2),
                "p95_ms": round(times[round(0.95 * len(times))], 2),
                "exact_median_ms": round(statistics.median(search_ms(exact, queries[:20])), 1),
                "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
