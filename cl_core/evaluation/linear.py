"""Linear probe: a linear classifier on frozen features.

It is given features, not a network, so it cannot train the network: the features are computed once,
in eval mode and without gradient.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.evaluation.knn import split_of

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)  # scikit-learn's C, the inverse of the L2 penalty
ITERATIONS = 100


@dataclasses.dataclass(frozen=True)
class LinearResult:
    """Accuracy in [0, 1] with all that is needed to measure it again."""

    accuracy: float
    strength: float
    queries: int
    train: int
    classes: int
    label: str
    rule: str

    def protocol(self) -> str:
        """The protocol in one line, to print beside the figure."""
        return (
            f"top-1 of {self.queries:,} after {self.train:,}, label: {self.label} ({self.classes} classes), multinomial logistic "
            f"regression on frozen standardized features, L2 with C = {self.strength:g} (the best of "
            f"{', '.join(f'{c:g}' for c in STRENGTHS)} on a fifth of the known images), {self.rule}"
        )


def _standardize(train: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Zero mean and unit variance on the train part; many columns are turned into those it spans, which loses nothing."""
    mean, std = train.mean(0), train.std(0)
    scale = torch.where(std > 1e-6, 1 / std.clamp(min=1e-6), 0.0)
    train, queries = (train - mean) * scale, (queries - mean) * scale
    if train.shape[1] > len(train):  # the penalty sees only what the known images span
        values, vectors = torch.linalg.eigh((train @ train.T).double())
        kept = values > values[-1] * 1e-6
        basis = (vectors[:, kept] / values[kept].sqrt()).float()
        train, queries = train @ (train.T @ basis), queries @ (train.T @ basis)
    return train, queries


def fit_logistic(features: Tensor, labels: Tensor, classes: int, strength: float, start: Tensor | None = None) -> Tensor:
    """Weights (D + 1, classes) of a multinomial logistic regression, the last row the intercepts.

    Minimizes mean cross-entropy + |weights|^2 / (2 strength N), scikit-learn's objective, by L-BFGS on all of
    features (N, D) at once; scikit-learn's own solver works in double precision and takes twenty times as long.
    """
    ones = torch.ones(len(features), 1)
    inputs = torch.cat([features, ones], 1)
    weights = (torch.zeros(inputs.shape[1], classes) if start is None else start.clone()).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weights], max_iter=ITERATIONS, tolerance_grad=1e-5, tolerance_change=1e-7, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        penalty = weights[:-1].square().sum() / (2 * strength * len(features))
        loss = F.cross_entropy(inputs @ weights, labels) + penalty
        loss.backward()
        return loss

    optimizer.step(objective)
    return weights.detach()


def _hits(weights: Tensor, queries: Tensor, truth: Tensor) -> float:
    predicted = (queries @ weights[:-1] + weights[-1]).argmax(1)
    return (predicted == truth).double().mean().item()


def evaluate_linear(features: Tensor, dataset: Dataset) -> LinearResult:
    """Linear probe of features (N, D) of a whole data set: on its test part, or on the held-out images."""
    split = split_of(dataset, labels_seen=True)
    train, queries = _standardize(features[split.gallery].detach().float(), features[split.queries].detach().float())
    labels, truth = dataset.labels[split.gallery], dataset.labels[split.queries]
    classes = len(dataset.classes)
    is_fifth = torch.arange(len(train)) % 5 == 4
    scores, weights = {}, None
    for strength in STRENGTHS:  # from the strongest penalty on, each starting where the last one ended
        weights = fit_logistic(train[~is_fifth], labels[~is_fifth], classes, strength, weights)
        scores[strength] = _hits(weights, train[is_fifth], labels[is_fifth])
    chosen = max(STRENGTHS, key=lambda strength: scores[strength])
    accuracy = _hits(fit_logistic(train, labels, classes, chosen, weights), queries, truth)
    return LinearResult(accuracy, chosen, len(queries), len(train), classes, dataset.label_kind, split.rule)
