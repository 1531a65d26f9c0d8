"""Search: one uploaded image in a gallery of 10,000, and exact search over a million vectors.

python -m benchmarks.search
"""

from __future__ import annotations

import io
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image

from benchmarks.table import Row
from cl_core.data.decoding import decode_image
from cl_core.data.pixels import to_tensor
from cl_core.data.registry import load_dataset
from cl_core.explore.flat_index import FlatIndex
from cl_core.explore.gallery import run_gallery
from cl_core.explore.hnsw import hnsw_index
from cl_core.runs.store import load_run

QUERIES = 25


def median_ms(work: Callable[[], object], repeats: int = QUERIES) -> float:
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def vectors(count: int, dim: int = 128) -> torch.Tensor:
    """Around 1,000 centers, as features are; (count, dim) float32 of length 1."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn(1000, dim, generator=generator)
    made = centers[torch.randint(0, 1000, (count,), generator=generator)]
    return F.normalize(made.add_(torch.randn(count, dim, generator=generator), alpha=0.8), dim=1)


def uploaded_image() -> float:
    """From the bytes of a photograph's size to the answers, in a gallery of 12,000 images; milliseconds."""
    run, data = load_run("fashion-simclr"), load_dataset("fashion")
    gallery = run_gallery(run, data)
    buffer = io.BytesIO()
    Image.fromarray(data.images[0].permute(1, 2, 0).numpy()).resize((1200, 1200)).save(buffer, "JPEG")
    upload = buffer.getvalue()

    def search() -> object:
        return gallery.search(gallery.embedder(to_tensor(decode_image(upload, "upload"), run.size)), 8)

    return median_ms(search)


def growth(sizes: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)) -> list[dict[str, float]]:
    """Milliseconds a query, exact and by the index (up to 100,000: it takes minutes to build), and the index's recall."""
    points = []
    for size in sizes:
        made = vectors(size)
        queries = F.normalize(made[:QUERIES] + 0.1 * torch.randn(QUERIES, made.shape[1]), dim=1)
        exact = FlatIndex(made)
        point: dict[str, float] = {"vectors": size, "exact_ms": median_ms(partial(exact.search, queries[:1], 10))}
        if size <= 100_000:
            point |= _index(made, queries, exact)
        points.append(point)
    return points


def _index(made: torch.Tensor, queries: torch.Tensor, exact: FlatIndex) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        index = hnsw_index(made, Path(folder) / "index")
        built = time.perf_counter() - began
        found, expected = index.search(queries, 10)[1], exact.search(queries, 10)[1]
        recall = (expected[:, :, None] == found[:, None]).any(2).float().mean().item()
        return {"index_ms": median_ms(partial(index.search, queries[:1], 10)), "recall_10": recall, "index_build_s": built}


def rows() -> list[Row]:
    upload = uploaded_image()
    million = FlatIndex(vectors(1_000_000))
    query = million.vectors[:1].clone()
    exact = median_ms(lambda: million.search(query, 10), 9)
    detail: dict[str, Any] = {"upload_ms": upload, "million_ms": exact}
    return [
        Row(
            "Search: 150 ms at the server for one uploaded image in 10,000",
            f"{upload:.0f} ms in 12,000 (median of {QUERIES}, from the JPEG's bytes to the answers)",
            upload <= 150,
            detail,
        ),
        Row("10^6 x 128 exact under 300 ms", f"{exact:.0f} ms (median of 9)", exact < 300, detail),
    ]


if __name__ == "__main__":
    for row in rows():
        print(row.line())
    for point in growth():
        print(point)
