"""Linear probe: a linear classifier on frozen features.

It takes features computed once, in eval mode and without gradient, so the encoder cannot be trained by it.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.evaluation.knn import split_of
from cl_core.evaluation.protocols import Rule, label_text, rule_text
from cl_core.text import text

INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)  # scikit-learn's C, the inverse of the L2 penalty
ITERATIONS = 100


@dataclasses.dataclass(frozen=True)
class LinearResult:
    """Accuracy in [0, 1], and the numbers needed to measure it again.

    inverse_penalty: the chosen one of `INVERSE_PENALTIES`. label: the kind of label.
    rule: how the images are split, see `split_of`.
    """

    accuracy: float
    inverse_penalty: float
    queries: int
    train: int
    classes: int
    label: str
    rule: Rule

    def protocol(self) -> str:
        """One line, in the language in effect."""
        return text(
            "evaluation.linear",
            queries=f"{self.queries:,}",
            train=f"{self.train:,}",
            label=label_text(self.label),
            classes=self.classes,
            inverse_penalty=f"{self.inverse_penalty:g}",
            penalties=", ".join(f"{inverse_penalty:g}" for inverse_penalty in INVERSE_PENALTIES),
            rule=rule_text(self.rule),
        )


def _standardize(train: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Scale columns to mean 0 and variance 1 on the training images; more columns than rows are rotated into their span.

    Args:
        train, queries: (T, D) and (Q, D) float32.

    Returns:
        (T, E) and (Q, E), E <= min(D, T). The penalized fit is the same in either basis.
    """
    mean, std = train.mean(0), train.std(0)
    scale = torch.where(std > 1e-6, 1 / std.clamp(min=1e-6), 0.0)
    train, queries = (train - mean) * scale, (queries - mean) * scale
    if train.shape[1] > len(train):  # the optimal weights lie in the span of the training rows
        values, vectors = torch.linalg.eigh((train @ train.T).double())
        nonzero = values > values[-1] * 1e-6
        basis = (vectors[:, nonzero] / values[nonzero].sqrt()).float()
        train, queries = train @ (train.T @ basis), queries @ (train.T @ basis)
    return train, queries


def fit_logistic(features: Tensor, labels: Tensor, classes: int, inverse_penalty: float, start: Tensor | None = None) -> Tensor:
    """Weights (D + 1, classes) of a multinomial logistic regression, the last row the intercepts.

    Minimizes mean cross-entropy + |weights|^2 / (2 inverse_penalty N), scikit-learn's objective, by full-batch L-BFGS in
    float32; scikit-learn's own solver uses float64 and takes twenty times as long.

    Args:
        features: (N, D) float32. labels: (N,) int64. start: (D + 1, classes), initial weights; by default zeros.
    """
    ones = torch.ones(len(features), 1)
    inputs = torch.cat([features, ones], 1)
    weights = (torch.zeros(inputs.shape[1], classes) if start is None else start.clone()).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weights], max_iter=ITERATIONS, tolerance_grad=1e-5, tolerance_change=1e-7, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        penalty = weights[:-1].square().sum() / (2 * inverse_penalty * len(features))
        loss = F.cross_entropy(inputs @ weights, labels) + penalty
        loss.backward()
        return loss

    optimizer.step(objective)
    return weights.detach()


def _accuracy(weights: Tensor, queries: Tensor, truth: Tensor) -> float:
    predicted = (queries @ weights[:-1] + weights[-1]).argmax(1)
    return (predicted == truth).double().mean().item()


def evaluate_linear(features: Tensor, dataset: Dataset) -> LinearResult:
    """Linear probe of features (N, D) of a whole data set, on its test images or the held-out groups."""
    split = split_of(dataset, labels_seen=True)
    train, queries = _standardize(features[split.gallery].detach().float(), features[split.queries].detach().float())
    labels, truth = dataset.labels[split.gallery], dataset.labels[split.queries]
    classes = len(dataset.classes)
    is_fifth = torch.arange(len(train)) % 5 == 4
    fitted, validation = ~is_fifth, is_fifth if is_fifth.any() else ~is_fifth  # of fewer than five, on all
    scores, weights = {}, None
    for inverse_penalty in INVERSE_PENALTIES:  # from the strongest penalty on, each fit starts from the last one
        weights = fit_logistic(train[fitted], labels[fitted], classes, inverse_penalty, weights)
        scores[inverse_penalty] = _accuracy(weights, train[validation], labels[validation])
    chosen = max(INVERSE_PENALTIES, key=lambda inverse_penalty: scores[inverse_penalty])
    accuracy = _accuracy(fit_logistic(train, labels, classes, chosen, weights), queries, truth)
    return LinearResult(accuracy, chosen, len(queries), len(train), classes, dataset.label_kind, split.rule)
