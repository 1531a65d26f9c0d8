"""Exact search in chunks equals a full sort; the HNSW index has high recall and is stored and memory-mapped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.explore import vector_index as module
from cl_core.explore.vector_index import FlatIndex, HNSWIndex, build_index


@pytest.fixture(scope="module")
def vectors() -> Tensor:
    """3,000 around 40 centers, as features of images are."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn(40, 32, generator=generator)[torch.randint(0, 40, (3000,), generator=generator)]
    return F.normalize(centers + 0.7 * torch.randn(3000, 32, generator=generator), dim=1)


@pytest.fixture(scope="module")
def queries(vectors: Tensor) -> Tensor:
    return F.normalize(vectors[:200] + 0.1 * torch.randn(200, 32, generator=torch.Generator().manual_seed(1)), dim=1)


@pytest.mark.parametrize("entries", [200 * 7, 200 * 1000, 2**25])
def test_exact_search_in_chunks_equals_a_full_sort(
    vectors: Tensor, queries: Tensor, entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK_ENTRIES", entries)
    cosines, rows = build_index(vectors).search(queries, 11)
    expected = (queries @ vectors.T).sort(dim=1, descending=True, stable=True)
    torch.testing.assert_close(cosines, expected.values[:, :11], rtol=0, atol=1e-6)
    torch.testing.assert_close((vectors[rows] * queries[:, None]).sum(2), cosines, rtol=0, atol=1e-6)
    assert torch.equal(rows[:, 0], expected.indices[:, 0])


def test_of_equal_cosines_the_first_row_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_ENTRIES", 2)
    same = F.normalize(torch.ones(7, 4), dim=1)
    assert build_index(same).search(same[:1], 3)[1].tolist() == [[0, 1, 2]]


def test_more_results_than_vectors() -> None:
    cosines, rows = build_index(torch.eye(3)).search(torch.eye(3)[:2], 10)
    assert cosines.shape == rows.shape == (2, 3)


def test_the_number_of_vectors_selects_the_index(vectors: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(build_index(vectors), FlatIndex)
    monkeypatch.setattr(module, "EXACT_UP_TO", 3000)
    assert isinstance(build_index(vectors), FlatIndex)
    monkeypatch.setattr(module, "EXACT_UP_TO", 2999)
    assert isinstance(build_index(vectors), HNSWIndex)


def test_hnsw_finds_what_exact_search_finds(
    vectors: Tensor, queries: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, expected_rows = FlatIndex(vectors).search(queries, 10)
    monkeypatch.setattr(module, "EXACT_UP_TO", 0)
    monkeypatch.setattr(module, "ADD_BATCH", 700)
    fractions: list[float] = []
    index = build_index(vectors, tmp_path / "index", fractions.append)
    cosines, rows = index.search(queries, 10)
    recall = (expected_rows[:, :, None] == rows[:, None]).any(2).float().mean()
    assert recall >= 0.98
    assert (expected_rows[:, 0] == rows[:, 0]).float().mean() >= 0.99
    torch.testing.assert_close((vectors[rows] * queries[:, None]).sum(2), cosines, rtol=0, atol=1e-6)
    assert bool((cosines[:, :-1] >= cosines[:, 1:]).all())
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert index.search(queries[:1], 5)[1].shape == (1, 5)


def test_the_index_is_stored_mapped_and_rebuilt_if_damaged(
    vectors: Tensor, queries: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXACT_UP_TO", 0)
    file = tmp_path / "index"
    first = build_index(vectors, file).search(queries, 5)[1]
    monkeypatch.setattr(module, "_build_hnsw", lambda *_: pytest.fail("the index was built again"))
    assert torch.equal(build_index(vectors, file).search(queries, 5)[1], first)
    monkeypatch.undo()
    monkeypatch.setattr(module, "EXACT_UP_TO", 0)
    for content in (b"something else", file.read_bytes()[:5000]):
        file.write_bytes(content)
        assert torch.equal(build_index(vectors, file).search(queries[:1], 1)[1], first[:1, :1])
    build_index(vectors[:100], file)  # of other vectors, recognized by their number
    assert len(build_index(vectors[:100], file).search(queries[:1], 1)[1]) == 1
