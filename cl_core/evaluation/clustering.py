"""Clusters of features against labels, and k-means and EM step by step.

The clustering view of contrastive learning: the E step assigns points to their nearest center, the M step moves the
centers. Moving an anchor to its positives corresponds to the E step, updating stored keys to the M step.

The evaluation uses scikit-learn; `kmeans_steps` and `mixture_steps` yield the state after each half iteration.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.data.dataset import Dataset, group_representatives
from cl_core.evaluation.pca import pca
from cl_core.evaluation.protocols import label_text
from cl_core.text import text

ClusterMethod = Literal["k-means", "Gaussian mixture"]
RESTARTS = 3
MAX_ROUNDS = 100
MIXTURE_ROUNDS = 50
MIXTURE_DIMENSIONS = 32
MIXTURE_TOLERANCE = 1e-4  # gain of the mean log-likelihood in a round, in nats
VARIANCE_FLOOR = 1e-6


@dataclasses.dataclass(frozen=True)
class KMeansStep:
    """The state after half a round: `assign` gives points (N,) to centers (K, D), `move` moves the centers.

    inertia: sum of squared distances of the points to their centers; it never rises.
    """

    kind: Literal["assign", "move"]
    assignment: Tensor
    centers: Tensor
    inertia: float


def kmeans_start(points: Tensor, clusters: int, seed: int) -> Tensor:
    """k-means++ centers (Arthur and Vassilvitskii 2007) of points (N, D): (K, D)."""
    from sklearn.cluster import kmeans_plusplus

    centers, _ = kmeans_plusplus(points.numpy(), clusters, random_state=seed)
    return torch.from_numpy(centers)


def _inertia(points: Tensor, centers: Tensor, assignment: Tensor) -> float:
    return float((points - centers[assignment]).square().sum())


def kmeans_steps(points: Tensor, centers: Tensor) -> Iterator[KMeansStep]:
    """Lloyd's algorithm from given centers, until no assignment changes or for `MAX_ROUNDS` rounds.

    Args:
        points: (N, D). centers: (K, D). A center without points stays where it is.
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
    """The state after one E or M step of a mixture with diagonal covariances.

    responsibilities: (N, K), rows sum to 1; weights (K,), means (K, D), variances (K, D).
    log_likelihood: mean over points of log p(point) under the parameters before the E step, in nats; it never falls.
    """

    kind: Literal["expect", "maximize"]
    responsibilities: Tensor
    weights: Tensor
    means: Tensor
    variances: Tensor
    log_likelihood: float


def mixture_steps(
    points: Tensor, responsibilities: Tensor, rounds: int = MIXTURE_ROUNDS, tolerance: float = MIXTURE_TOLERANCE
) -> Iterator[MixtureStep]:
    """EM for a Gaussian mixture (Dempster et al. 1977), from initial responsibilities (N, K), in log space.

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
        log_density = _log_density(points, weights, means, variances)
        log_evidence = log_density.logsumexp(1, keepdim=True)
        responsibilities = (log_density - log_evidence).exp()
        gain = float(log_evidence.mean()) - log_likelihood
        log_likelihood = float(log_evidence.mean())
        yield MixtureStep("expect", responsibilities, weights, means, variances, log_likelihood)
        if gain < tolerance:
            return


def _log_density(points: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """log of weight times density of each point under each component, (N, K)."""
    precision = 1 / variances
    distance = points.square() @ precision.T - 2 * points @ (means * precision).T + (means.square() * precision).sum(1)
    return -0.5 * (distance + variances.log().sum(1) + points.shape[1] * math.log(2 * math.pi)) + weights.log()


def mixture_bound(points: Tensor, step: MixtureStep) -> float:
    """The lower bound of the mean log-likelihood that both E and M steps raise (Neal and Hinton 1998), in nats.

    After an E step it equals the log-likelihood.

    Args:
        points: (N, D), those of `mixture_steps`.
    """
    density = _log_density(points, step.weights, step.means, step.variances)
    gain = step.responsibilities * density - torch.special.xlogy(step.responsibilities, step.responsibilities)
    return float(gain.sum(1).mean())


@dataclasses.dataclass(frozen=True)
class ClusteringResult:
    """Agreement of clusters with labels: normalized mutual information (0 to 1) and adjusted Rand index (0 at chance)."""

    method: ClusterMethod
    nmi: float
    ari: float
    clusters: int
    images: int
    label: str

    def protocol(self) -> str:
        """One line, in the language in effect."""
        values = {"clusters": self.clusters, "images": f"{self.images:,}", "label": label_text(self.label)}
        if self.method == "k-means":
            return text("evaluation.kmeans", restarts=RESTARTS, **values)
        return text("evaluation.mixture", dimensions=MIXTURE_DIMENSIONS, **values)


def _kmeans(points: Tensor, clusters: int) -> Tensor:
    """The cluster of each point, (N,) int64, of the best of `RESTARTS` starts."""
    from sklearn.cluster import KMeans

    model = KMeans(clusters, n_init=RESTARTS, max_iter=MAX_ROUNDS, random_state=0)
    return torch.from_numpy(model.fit_predict(points.numpy())).long()


def _mixture(points: Tensor, clusters: int, assignment: Tensor) -> Tensor:
    """The most likely component of each point, (N,) int64, by EM from an assignment (N,)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    points = points.double()
    start = next(mixture_steps(points, F.one_hot(assignment, clusters).double()))
    model = GaussianMixture(
        clusters,
        covariance_type="diag",
        tol=MIXTURE_TOLERANCE,
        reg_covar=VARIANCE_FLOOR,
        max_iter=MIXTURE_ROUNDS,
        weights_init=start.weights.numpy() / start.weights.sum().item(),
        means_init=start.means.numpy(),
        precisions_init=1 / start.variances.numpy(),
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of rounds is bounded
        return torch.from_numpy(model.fit_predict(points.numpy())).long()


def evaluate_clustering(features: Tensor, dataset: Dataset) -> list[ClusteringResult]:
    """k-means and a Gaussian mixture of features (N, D) of a whole data set, with as many clusters as classes.

    On the labeled test images, or on one labeled image of each group where there are none.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    rows = dataset.test if len(dataset.test) else group_representatives(dataset)
    rows = rows[dataset.labels[rows] >= 0]
    points, labels = F.normalize(features[rows].float(), dim=1), dataset.labels[rows]
    clusters = len(labels.unique())
    by_kmeans = _kmeans(points, clusters)
    by_mixture = _mixture(pca(points, min(MIXTURE_DIMENSIONS, points.shape[1])), clusters, by_kmeans)
    assignments: dict[ClusterMethod, Tensor] = {"k-means": by_kmeans, "Gaussian mixture": by_mixture}
    return [
        ClusteringResult(
            method,
            float(normalized_mutual_info_score(labels, assignment)),
            float(adjusted_rand_score(labels, assignment)),
            clusters,
            len(rows),
            dataset.label_kind,
        )
        for method, assignment in assignments.items()
    ]
