"""Graphs of neighbors: high recall over several graphs, stored, memory-mapped, and resumed after an interruption."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.explore import hnsw as module
from cl_core.explore.flat_index import FlatIndex
from cl_core.explore.hnsw import hnsw_index


@pytest.fixture(scope="module")
def vectors() -> Tensor:
    """3,000 around 40 centers, as features of images are."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn(40, 32, generator=generator)[torch.randint(0, 40, (3000,), generator=generator)]
    return F.normalize(centers + 0.7 * torch.randn(3000, 32, generator=generator), dim=1)


@pytest.fixture(scope="module")
def queries(vectors: Tensor) -> Tensor:
    return F.normalize(vectors[::15] + 0.1 * torch.randn(200, 32, generator=torch.Generator().manual_seed(1)), dim=1)


@pytest.mark.parametrize("shard", [10_000, 1_100])
def test_it_finds_what_exact_search_finds(
    vectors: Tensor, queries: Tensor, shard: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, expected = FlatIndex(vectors).search(queries, 10)
    monkeypatch.setattr(module, "SHARD", shard)
    monkeypatch.setattr(module, "ADD_BATCH", 700)
    fractions: list[float] = []
    index = hnsw_index(vectors, tmp_path / "index", fractions.append)
    cosines, rows = index.search(queries, 10)
    assert (expected[:, :, None] == rows[:, None]).any(2).float().mean() >= 0.98
    assert (expected[:, 0] == rows[:, 0]).float().mean() >= 0.99
    torch.testing.assert_close((vectors[rows] * queries[:, None]).sum(2), cosines, rtol=0, atol=1e-6)
    assert bool((cosines[:, :-1] >= cosines[:, 1:]).all())
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert index.search(queries[:1], 5)[1].shape == (1, 5)
    assert index.search(queries[:1], 5000)[1][0].unique().tolist() == list(range(3000)), "every row once"


def test_stored_graphs_are_mapped_and_damaged_ones_built_again(
    vectors: Tensor, queries: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARD", 1_000)
    file, built = tmp_path / "index.usearch", []
    build = module._build
    monkeypatch.setattr(module, "_build", lambda part, *rest: built.append(len(part)) or build(part, *rest))
    first = hnsw_index(vectors, file).search(queries, 5)[1]
    assert built == [1000, 1000, 1000] and len(list(tmp_path.glob("index-*.usearch"))) == 3
    assert torch.equal(hnsw_index(vectors, file).search(queries, 5)[1], first)
    assert len(built) == 3
    middle = tmp_path / "index-1.usearch"
    for content in (b"something else", middle.read_bytes()[:5000]):
        middle.write_bytes(content)
        assert torch.equal(hnsw_index(vectors, file).search(queries[:1], 1)[1], first[:1, :1])
    assert len(built) == 5, "only the damaged one is built again"


def test_an_interrupted_build_resumes_after_the_last_stored_graph(
    vectors: Tensor, queries: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARD", 1_000)

    def interrupted(fraction: float) -> None:
        if fraction > 0.5:
            raise KeyboardInterrupt

    file = tmp_path / "index.usearch"
    with pytest.raises(KeyboardInterrupt):
        hnsw_index(vectors, file, interrupted)
    assert [each.name for each in tmp_path.iterdir()] == ["index-0.usearch"]
    fractions: list[float] = []
    index = hnsw_index(vectors, file, fractions.append)
    assert fractions[0] > 0.5
    expected = FlatIndex(vectors).search(queries, 5)[1]
    assert (expected[:, :, None] == index.search(queries, 5)[1][:, None]).any(2).float().mean() >= 0.98
