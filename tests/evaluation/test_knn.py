"""kNN against a loop in plain Python, and the rule that variants are no hits."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from cl_core.data.registry import load_dataset
from cl_core.evaluation.knn import evaluate_knn, knn_predict


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.1), (5, 0.07), (20, 1.0), (500, 0.01)])
def test_equals_a_naive_vote(k: int, temperature: float) -> None:
    torch.manual_seed(0)
    gallery, queries = (F.normalize(torch.randn(n, 6), dim=1) for n in (120, 30))
    labels = torch.randint(4, (120,))
    ours = knn_predict(queries, gallery, labels, 4, k, temperature)
    for q in range(30):
        ranked = sorted(range(120), key=lambda g: -float(queries[q] @ gallery[g]))[:k]
        top = float(queries[q] @ gallery[ranked[0]])
        votes = [0.0] * 4
        for g in ranked:
            votes[int(labels[g])] += math.exp((float(queries[q] @ gallery[g]) - top) / temperature)
        assert votes[int(ours[q])] == pytest.approx(max(votes), rel=1e-4)


def test_one_neighbor_is_sklearns_nearest_neighbor() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    data = load_dataset("digits")
    pixels = F.normalize(data.images[:, 0].flatten(1).float(), dim=1)
    result = evaluate_knn(pixels, data, k=1)
    judge = KNeighborsClassifier(1, metric="cosine").fit(pixels[data.train], data.labels[data.train])
    assert result.accuracy == pytest.approx(judge.score(pixels[data.test], data.labels[data.test]), abs=1e-9)
    assert (result.queries, result.gallery, result.classes) == (359, 1438, 10)
    assert "k = 1" in result.protocol()


def test_a_group_is_never_its_own_neighbor() -> None:
    """Features that say only which emoji it is: with variants or itself as neighbors this would be perfect."""
    data = load_dataset("emoji")
    torch.manual_seed(0)
    codes = F.normalize(torch.randn(1911, 64), dim=1)
    result = evaluate_knn(codes[data.groups], data)
    assert result.accuracy < 0.2
    assert (result.queries, result.gallery) == (1911, 1911)
    assert "leave one out" in result.rule


def test_excluded_groups() -> None:
    gallery = F.normalize(torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), dim=1)
    labels, groups = torch.tensor([0, 0, 1]), torch.tensor([7, 7, 8])
    query = gallery[:1]
    assert knn_predict(query, gallery, labels, 2, 1, 0.1).tolist() == [0]
    assert knn_predict(query, gallery, labels, 2, 1, 0.1, groups[:1], groups).tolist() == [1]
