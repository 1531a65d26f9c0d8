"""Neighbors and their agreement against plain Python."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cl_core.evaluation import neighbors as neighborhood
from cl_core.evaluation.neighbors import label_agreement, nearest_others


def some(count: int = 40) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = F.normalize(torch.randn(count, 6, generator=generator), dim=1)
    return features, torch.randint(-1, 4, (count,), generator=generator), torch.randint(0, 25, (count,), generator=generator)


def by_hand(features: torch.Tensor, groups: torch.Tensor, query: int, k: int) -> list[int]:
    others = [i for i in range(len(features)) if groups[i] != groups[query]]
    return sorted(others, key=lambda i: -float(features[i] @ features[query]))[:k]


def test_nearest_others_exclude_the_own_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighborhood, "CHUNK", 7)
    features, _, groups = some()
    cosines, positions = nearest_others(features, groups, torch.arange(40), 5)
    for query in range(40):
        expected = by_hand(features, groups, query, 5)
        assert positions[query].tolist() == expected
        assert torch.allclose(cosines[query], features[expected] @ features[query], atol=1e-6)


def test_agreement_is_the_fraction_of_neighbors_with_the_label() -> None:
    features, labels, groups = some()
    found = label_agreement(features, labels, groups, k=5)
    for i in range(40):
        if labels[i] < 0:
            assert torch.isnan(found[i])
        else:
            near = by_hand(features, groups, i, 5)
            assert float(found[i]) == pytest.approx(sum(bool(labels[j] == labels[i]) for j in near) / 5)


def test_fewer_others_than_k() -> None:
    features = F.normalize(torch.randn(4, 3), dim=1)
    groups, labels = torch.tensor([0, 0, 0, 1]), torch.tensor([2, 2, 2, 2])
    assert label_agreement(features, labels, groups, k=10).tolist() == [1.0] * 4
    assert (nearest_others(features, groups, torch.tensor([0]), 3)[0] > -torch.inf).sum() == 1
