"""Clusters against labels: k-means and Gaussian mixtures, each step of EM on its own.

The clustering view of contrastive learning: the E step recolors points by their nearest center, the M
step moves the centers. Pulling an anchor to its positives is the one, refreshing keys the other.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.data.dataset import Dataset, group_representatives
from cl_core.evaluation.pca import pca

ClusterMethod = Literal["k-means", "Gaussian mixture"]
RESTARTS = 3
MAX_ROUNDS = 100
MIXTURE_DIMENSIONS = 32
VARIANCE_FLOOR = 1e-6


@dataclasses.dataclass(frozen=True)
class KMeansStep:
    """After one half of a round: `assign` gave points (N,) to centers (K, D), `move` moved the centers.

    inertia: sum of squared distances of the points to their centers; it never rises.
    """

    kind: Literal["assign", "move"]
    assignment: Tensor
    centers: Tensor
    inertia: float


def kmeans_start(points: Tensor, clusters: int, seed: int) -> Tensor:
    """k-means++ centers (Arthur and Vassilvitskii 2007): (K, D)."""
    from sklearn.cluster import kmeans_plusplus

    centers, _ = kmeans_plusplus(points.numpy(), clusters, random_state=seed)
    return torch.from_numpy(centers)


def _inertia(points: Tensor, centers: Tensor, assignment: Tensor) -> float:
    return float((points - centers[assignment]).square().sum())


def kmeans_steps(points: Tensor, centers: Tensor) -> Iterator[KMeansStep]:
    """Lloyd's algorithm from given centers, until no point changes its center or 100 rounds are done.

    Args:
        points: (N, D). centers: (K, D). A center that loses all its points stays where it is.
    """
    before: Tensor | None = None
    for _ in range(MAX_ROUNDS):
        assignment = torch.cdist(points, centers).argmin(1)
        yield KMeansStep("assign", assignment, centers, _inertia(points, centers, assignment))
        if before is not None and torch.equal(assignment, before):
            return
        before = assignment
        count = torch.bincount(assignment, minlength=len(centers))
        total = torch.zeros_like(centers).index_add_(0, assignment, points)
        centers = torch.where(count[:, None] > 0, total / count[:, None].clamp(min=1), centers)
        yield KMeansStep("move", assignment, centers, _inertia(points, centers, assignment))


@dataclasses.dataclass(frozen=True)
class MixtureStep:
    """After one E or M step of a mixture with diagonal covariances.

    responsibilities: (N, K), rows add up to 1; weights (K,), means (K, D), variances (K, D).
    log_likelihood: mean over points of log p(point) under the parameters before the E step; it never falls.
    """

    kind: Literal["expect", "maximize"]
    responsibilities: Tensor
    weights: Tensor
    means: Tensor
    variances: Tensor
    log_likelihood: float


def mixture_steps(points: Tensor, responsibilities: Tensor, rounds: int = 50, tolerance: float = 1e-4) -> Iterator[MixtureStep]:
    """EM for a Gaussian mixture (Dempster et al. 1977), from first responsibilities (N, K), in log space.

    Stops when the log-likelihood gains less than `tolerance`, or after `rounds`.
    """
    log_likelihood = -math.inf
    for _ in range(rounds):
        count = responsibilities.sum(0) + 1e-12
        weights = count / len(points)
        means = responsibilities.T @ points / count[:, None]
        squares = responsibilities.T @ points.square() / count[:, None]
        variances = (squares - means.square()).clamp(min=0) + VARIANCE_FLOOR
        yield MixtureStep("maximize", responsibilities, weights, means, variances, log_likelihood)
        precision = 1 / variances
        distance = points.square() @ precision.T - 2 * points @ (means * precision).T + (means.square() * precision).sum(1)
        log_density = -0.5 * (distance + variances.log().sum(1) + points.shape[1] * math.log(2 * math.pi)) + weights.log()
        log_evidence = log_density.logsumexp(1, keepdim=True)
        responsibilities = (log_density - log_evidence).exp()
        gained = float(log_evidence.mean()) - log_likelihood
        log_likelihood = float(log_evidence.mean())
        yield MixtureStep("expect", responsibilities, weights, means, variances, log_likelihood)
        if gained < tolerance:
            return


@dataclasses.dataclass(frozen=True)
class ClusteringResult:
    """Agreement of clusters with labels: normalized mutual information (0 to 1), adjusted Rand index (0 is chance)."""

    method: ClusterMethod
    nmi: float
    ari: float
    clusters: int
    images: int
    label: str

    def protocol(self) -> str:
        """The protocol in one line, to print beside the figures."""
        how = (
            f"the best of {RESTARTS} k-means++ starts"
            if self.method == "k-means"
            else f"diagonal, from k-means, on {MIXTURE_DIMENSIONS} principal components"
        )
        return (
            f"{self.method} with {self.clusters} clusters ({how}) of {self.images:,} images' features, scaled to length 1, "
            f"against label: {self.label}"
        )


def _kmeans(points: Tensor, clusters: int) -> KMeansStep:
    """The end of the best of some starts."""
    ends = []
    for seed in range(RESTARTS):
        for step in kmeans_steps(points, kmeans_start(points, clusters, seed)):
            last = step
        ends.append(last)
    return min(ends, key=lambda step: step.inertia)


def evaluate_clustering(features: Tensor, dataset: Dataset) -> list[ClusteringResult]:
    """k-means and a Gaussian mixture of features (N, D), as many clusters as classes.

    On the test part, or on one image of each group where there is none.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    rows = dataset.test if len(dataset.test) else group_representatives(dataset)
    points, labels = F.normalize(features[rows].float(), dim=1), dataset.labels[rows]
    clusters = len(dataset.classes)
    found: dict[ClusterMethod, Tensor] = {"k-means": _kmeans(points, clusters).assignment}
    few = pca(points, min(MIXTURE_DIMENSIONS, points.shape[1]))
    for step in mixture_steps(few, F.one_hot(found["k-means"], clusters).float()):
        found["Gaussian mixture"] = step.responsibilities.argmax(1)
    return [
        ClusteringResult(
            method,
            float(normalized_mutual_info_score(labels, assignment)),
            float(adjusted_rand_score(labels, assignment)),
            clusters,
            len(rows),
            dataset.label_kind,
        )
        for method, assignment in found.items()
    ]
