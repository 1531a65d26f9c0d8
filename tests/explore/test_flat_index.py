"""Exact search in chunks equals a full sort."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.explore import flat_index as module
from cl_core.explore.flat_index import FlatIndex


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
    cosines, rows = FlatIndex(vectors).search(queries, 11)
    expected = (queries @ vectors.T).sort(dim=1, descending=True, stable=True)
    torch.testing.assert_close(cosines, expected.values[:, :11], rtol=0, atol=1e-6)
    torch.testing.assert_close((vectors[rows] * queries[:, None]).sum(2), cosines, rtol=0, atol=1e-6)
    assert torch.equal(rows[:, 0], expected.indices[:, 0])


def test_of_equal_cosines_the_first_row_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_ENTRIES", 2)
    same = F.normalize(torch.ones(7, 4), dim=1)
    assert FlatIndex(same).search(same[:1], 3)[1].tolist() == [[0, 1, 2]]


def test_more_results_than_vectors() -> None:
    cosines, rows = FlatIndex(torch.eye(3)).search(torch.eye(3)[:2], 10)
    assert cosines.shape == rows.shape == (2, 3)


def test_a_search_among_some_rows_equals_one_of_these_alone(
    vectors: Tensor, queries: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK_ENTRIES", 32 * 100)
    among = torch.arange(0, 3000, 7)
    cosines, positions = FlatIndex(vectors).search(queries, 9, among)
    alone_cosines, alone = FlatIndex(vectors[among]).search(queries, 9)
    torch.testing.assert_close(cosines, alone_cosines)
    assert torch.equal(positions, alone)
