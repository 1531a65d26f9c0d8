"""kNN against a loop in plain Python, leave-one-out over groups, and protocols of stored results."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
import torch
import torch.nn.functional as F

from cl_core.data.registry import load_dataset
from cl_core.evaluation.geometry import Geometry
from cl_core.evaluation.knn import KnnResult, evaluate_knn, knn_predict
from cl_core.runs.store import shipped_runs
from cl_core.text import using_language


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


def test_k_of_one_equals_scikit_learn() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    data = load_dataset("digits")
    pixels = F.normalize(data.images[:, 0].flatten(1).float(), dim=1)
    result = evaluate_knn(pixels, data, k=1)
    reference = KNeighborsClassifier(1, metric="cosine").fit(pixels[data.train], data.labels[data.train])
    assert result.accuracy == pytest.approx(reference.score(pixels[data.test], data.labels[data.test]), abs=1e-9)
    assert (result.queries, result.gallery, result.classes) == (359, 1438, 10)
    assert "k = 1" in result.protocol()


def test_a_group_is_never_its_own_neighbor() -> None:
    """Features that are equal within a group only: with its own group among the neighbors accuracy would be 1."""
    data = load_dataset("emoji")
    torch.manual_seed(0)
    codes = F.normalize(torch.randn(1911, 64), dim=1)
    result = evaluate_knn(codes[data.groups], data)
    assert result.accuracy < 0.2
    assert (result.queries, result.gallery) == (1911, 1911)
    assert result.rule == "leave-one-out"
    assert "leave one out" in result.protocol()


def test_excluded_groups() -> None:
    gallery = F.normalize(torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), dim=1)
    labels, groups = torch.tensor([0, 0, 1]), torch.tensor([7, 7, 8])
    query = gallery[:1]
    assert knn_predict(query, gallery, labels, 2, 1, 0.1).tolist() == [0]
    assert knn_predict(query, gallery, labels, 2, 1, 0.1, groups[:1], groups).tolist() == [1]


def test_stored_results_have_their_protocol_in_both_languages() -> None:
    data = load_dataset("digits")
    result = evaluate_knn(F.normalize(data.images[:, 0].flatten(1).float(), dim=1), data)
    stored = KnnResult.from_metrics(json.loads(json.dumps(dataclasses.asdict(result))))
    assert stored == result
    assert stored.protocol() == (
        "Digits, 8 x 8: top-1 of 359 queries against 1,438 images, label: digit (10 classes), cosine, k = 10, "
        "votes weighted exp(cosine / 0.1), test images against training images"
    )
    with using_language("zh"):
        assert "359 张查询图片" in stored.protocol()
        assert stored.protocol().endswith("测试图片对训练图片")


def test_protocols_of_shipped_runs_can_be_rebuilt() -> None:
    rules = set()
    for folder in shipped_runs():
        metrics = folder.read_record().metrics
        knn, geometry = KnnResult.from_metrics(metrics["knn"]), Geometry.from_metrics(metrics["geometry"])
        assert knn is not None
        assert geometry is not None
        assert f"{knn.queries:,} queries" in knn.protocol()
        assert f"{geometry.images:,} images" in geometry.protocol()
        rules.add(knn.rule)
    assert rules == {"test-train", "leave-one-out", "held-out"}


@pytest.mark.parametrize("stored", [None, "text", {}, {"accuracy": 0.5}, {"rule": "unknown"}])
def test_incomplete_stored_results_are_none(stored: object) -> None:
    assert KnnResult.from_metrics(stored) is None
    assert Geometry.from_metrics(stored) is None


def test_a_query_without_neighbors_has_no_class() -> None:
    gallery = F.normalize(torch.randn(4, 3), dim=1)
    groups = torch.zeros(4, dtype=torch.long)
    own, other = torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.long)
    labels = torch.tensor([0, 0, 1, 1])
    assert knn_predict(gallery[:2], gallery, labels, 2, 3, 0.1, own, groups).tolist() == [-1, -1]
    assert (knn_predict(gallery[:2], gallery, labels, 2, 3, 0.1, other, groups) >= 0).all()
    only_one = torch.tensor([0, 0, 0, 1])  # the other three are masked, and k is larger
    assert knn_predict(gallery[:2], gallery, labels, 2, 4, 0.1, own, only_one).tolist() == [1, 1]
