"""k-means and EM step by step against scikit-learn, and the evaluation against the steps."""

from __future__ import annotations

import dataclasses
import itertools
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from cl_core.data.dataset import subset
from cl_core.data.registry import load_dataset
from cl_core.evaluation.clustering import (
    MIXTURE_DIMENSIONS,
    RESTARTS,
    _kmeans,
    _mixture,
    evaluate_clustering,
    kmeans_start,
    kmeans_steps,
    mixture_bound,
    mixture_steps,
)
from cl_core.evaluation.pca import pca
from cl_core.text import using_language
from tests.evaluation.conftest import Small


@pytest.fixture
def points() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.cat([torch.randn(40, 3) + shift for shift in (0.0, 4.0, 8.0)])


def test_kmeans_steps_alternate_and_inertia_never_rises(points: torch.Tensor) -> None:
    steps = list(kmeans_steps(points, kmeans_start(points, 3, 0)))
    assert [step.kind for step in steps[:4]] == ["assign", "move", "assign", "move"][: len(steps)]
    assert all(a.inertia >= b.inertia - 1e-3 for a, b in itertools.pairwise(steps))
    for before, after in itertools.pairwise(steps):
        if after.kind == "assign":
            assert torch.equal(before.centers, after.centers)
        else:
            assert torch.equal(before.assignment, after.assignment)
            for cluster in range(3):
                assert torch.allclose(after.centers[cluster], points[after.assignment == cluster].mean(0), atol=1e-5)


def test_kmeans_converges_to_scikit_learns_result(points: torch.Tensor) -> None:
    start = kmeans_start(points, 3, 1)
    *_, last = kmeans_steps(points, start)
    reference = KMeans(3, init=start.numpy(), n_init=1, algorithm="lloyd", tol=0).fit(points.numpy())
    assert last.inertia == pytest.approx(reference.inertia_, rel=1e-4)
    assert last.assignment.tolist() == reference.labels_.tolist()


def test_an_empty_cluster_keeps_its_center(points: torch.Tensor) -> None:
    start = torch.cat([points[:2], torch.full((1, 3), 1000.0)])
    *_, last = kmeans_steps(points, start)
    assert torch.equal(last.centers[2], start[2])


def test_mixture_likelihood_never_falls(points: torch.Tensor) -> None:
    torch.manual_seed(1)
    steps = list(mixture_steps(points, torch.rand(120, 3).softmax(1), rounds=30))
    likelihoods = [step.log_likelihood for step in steps if step.kind == "expect"]
    assert all(b >= a - 1e-4 for a, b in itertools.pairwise(likelihoods))
    for step in steps:
        assert torch.allclose(step.responsibilities.sum(1), torch.ones(120), atol=1e-4)
        assert float(step.weights.sum()) == pytest.approx(1, abs=1e-4)


def test_mixture_equals_scikit_learn_after_the_same_steps(points: torch.Tensor) -> None:
    first = F.one_hot(torch.arange(120) // 40, 3).double()
    steps = list(mixture_steps(points.double(), first, rounds=6, tolerance=-1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = GaussianMixture(3, covariance_type="diag", max_iter=5, tol=0, reg_covar=1e-6)
        start = steps[0]
        reference.weights_init, reference.means_init = start.weights.numpy(), start.means.numpy()
        reference.precisions_init = (1 / start.variances).numpy()
        reference.fit(points.double().numpy())
    ours = [step for step in steps if step.kind == "maximize"][5]
    assert torch.allclose(ours.means, torch.from_numpy(reference.means_), atol=1e-5)
    assert torch.allclose(ours.variances, torch.from_numpy(reference.covariances_), atol=1e-5)


def test_distant_points_do_not_underflow() -> None:
    points = torch.cat([torch.zeros(5, 50), torch.full((5, 50), 1e3)])
    *_, last = mixture_steps(points, F.one_hot(torch.arange(10) // 5, 2).float())
    assert torch.isfinite(last.responsibilities).all()
    assert last.responsibilities.argmax(1).tolist() == [0] * 5 + [1] * 5


def test_clusters_agree_with_labels(small: Small) -> None:
    data = load_dataset("digits")
    torch.manual_seed(0)
    learned, noise = evaluate_clustering(small.features, data), evaluate_clustering(torch.randn(len(data), 16), data)
    for result, chance in zip(learned, noise, strict=True):
        assert result.method == chance.method
        assert result.nmi > 0.6
        assert result.ari > 0.4
        assert abs(chance.ari) < 0.05
        assert "10 clusters" in result.protocol()
        assert "359 images" in result.protocol()


def test_images_without_a_label_and_absent_classes_do_not_count() -> None:
    """Two clear clusters, an unlabeled one, and a class that has no image."""
    data = subset(load_dataset("digits"), torch.arange(60))
    labels = torch.tensor([0] * 20 + [3] * 20 + [-1] * 20)
    data = dataclasses.replace(data, labels=labels, test=torch.arange(60))
    features = torch.zeros(60, 3).index_put((torch.arange(60), torch.arange(60) // 20), torch.tensor(1.0))
    features += 0.01 * torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    for found in evaluate_clustering(features, data):
        assert (found.nmi, found.images, found.clusters) == (pytest.approx(1), 40, 2)


def test_the_evaluation_equals_the_steps(small: Small) -> None:
    data = load_dataset("digits")
    points = F.normalize(small.features[data.test], dim=1)
    ends = []
    for seed in range(RESTARTS):
        *_, last = kmeans_steps(points, kmeans_start(points, 10, seed))
        ends.append(last)
    assignment = _kmeans(points, 10)
    centers = torch.stack([points[assignment == cluster].mean(0) for cluster in range(10)])
    inertia = float((points - centers[assignment]).square().sum())
    assert inertia <= 1.02 * min(step.inertia for step in ends)
    *_, last = kmeans_steps(points, centers)
    assert last.inertia == pytest.approx(inertia, rel=1e-3), "its centers are where the steps end"
    few = pca(points, MIXTURE_DIMENSIONS)
    *_, last = mixture_steps(few.double(), F.one_hot(assignment, 10).double())
    assert (_mixture(few, 10, assignment) == last.responsibilities.argmax(1)).double().mean() > 0.99


def test_protocols_in_chinese(small: Small) -> None:
    kmeans, mixture = evaluate_clustering(small.features, load_dataset("digits"))
    with using_language("zh"):
        assert "10 个簇" in kmeans.protocol()
        assert "高斯混合模型" in mixture.protocol()
        assert "标签“数字”" in mixture.protocol()


def test_each_step_of_kmeans_equals_scikit_learn(points: torch.Tensor) -> None:
    points, start = points.double(), kmeans_start(points.double(), 3, 0)
    moves = [step for step in kmeans_steps(points, start) if step.kind == "move"]
    for rounds, ours in enumerate(moves[:5], 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has not converged
            reference = KMeans(3, init=start.numpy(), n_init=1, max_iter=rounds, tol=0).fit(points.numpy())
        assert torch.allclose(ours.centers, torch.from_numpy(reference.cluster_centers_), atol=1e-6)


def test_each_half_round_of_the_mixture_equals_scikit_learn(points: torch.Tensor) -> None:
    points = points.double()
    first = torch.rand(120, 3, generator=torch.Generator().manual_seed(0)).double().softmax(1)
    reference = GaussianMixture(3, covariance_type="diag", reg_covar=1e-6)
    log_responsibilities = first.log().numpy()
    for step in mixture_steps(points, first, rounds=8, tolerance=-1.0):
        if step.kind == "maximize":
            reference._initialize(points.numpy(), np.exp(log_responsibilities))
            assert torch.allclose(step.means, torch.from_numpy(reference.means_), atol=1e-6)
            assert torch.allclose(step.variances, torch.from_numpy(reference.covariances_), atol=1e-6)
            assert torch.allclose(step.weights, torch.from_numpy(reference.weights_), atol=1e-6)
        else:
            likelihood, log_responsibilities = reference._e_step(points.numpy())
            assert torch.allclose(step.responsibilities.log(), torch.from_numpy(log_responsibilities), atol=1e-6)
            assert step.log_likelihood == pytest.approx(likelihood, abs=1e-6)


def test_both_steps_of_the_mixture_raise_the_bound(points: torch.Tensor) -> None:
    points = points.double()
    steps = list(mixture_steps(points, torch.eye(3).double()[torch.arange(120) % 3], rounds=20))
    bounds = [mixture_bound(points, step) for step in steps]
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(bounds))
    for step, bound in zip(steps, bounds, strict=True):
        if step.kind == "expect":
            assert bound == pytest.approx(step.log_likelihood, abs=1e-9)
