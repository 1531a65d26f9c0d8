"""The number of vectors selects the index."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.explore import vector_index as module
from cl_core.explore.flat_index import FlatIndex
from cl_core.explore.hnsw import HNSWIndex
from cl_core.explore.vector_index import build_index


@pytest.fixture(scope="module")
def vectors() -> Tensor:
    """3,000 around 40 centers, as features of images are."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn(40, 32, generator=generator)[torch.randint(0, 40, (3000,), generator=generator)]
    return F.normalize(centers + 0.7 * torch.randn(3000, 32, generator=generator), dim=1)


def test_the_number_of_vectors_selects_the_index(vectors: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(build_index(vectors), FlatIndex)
    monkeypatch.setattr(module, "EXACT_UP_TO", 3000)
    assert isinstance(build_index(vectors), FlatIndex)
    monkeypatch.setattr(module, "EXACT_UP_TO", 2999)
    assert isinstance(build_index(vectors), HNSWIndex)
