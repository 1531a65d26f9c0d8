"""k-nearest-neighbor classification on frozen features (Wu et al. 2018, section 3.4)."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.data.dataset import Dataset, group_representatives
from cl_core.evaluation.protocols import Rule, label_text, read_stored, rule_text
from cl_core.networks.embedding import pixel_features, pixel_side
from cl_core.text import text

QUERY_CHUNK = 1024


@dataclasses.dataclass(frozen=True)
class KnnResult:
    """Accuracy in [0, 1], and the numbers needed to measure it again.

    label: the kind of label. rule: how the images are split, see `split_of`. data: title of the data set; early versions
    did not store it.
    """

    accuracy: float
    k: int
    temperature: float
    queries: int
    gallery: int
    classes: int
    label: str
    rule: Rule
    data: str = ""

    @classmethod
    def from_metrics(cls, metrics: Any) -> KnnResult | None:
        """The result that `run.json` stores under `knn` or `pixels`; None where the values are incomplete."""
        return read_stored(cls, metrics)

    def split(self) -> str:
        """How many queries against how many images, and how they are split."""
        return split_text(self.queries, self.gallery, self.rule)

    def protocol(self) -> str:
        """One line, in the language in effect."""
        return text(
            "evaluation.knn",
            data=text("evaluation.data", title=self.data) if self.data else "",
            queries=f"{self.queries:,}",
            gallery=f"{self.gallery:,}",
            label=label_text(self.label),
            classes=self.classes,
            k=self.k,
            temperature=f"{self.temperature:g}",
            rule=rule_text(self.rule),
        )


def split_text(queries: int, gallery: int, rule: Rule) -> str:
    """How many queries against how many images, and how they are split, in the language in effect."""
    return text(f"evaluation.split.{rule.replace('-', '_')}", queries=f"{queries:,}", gallery=f"{gallery:,}")


NO_NEIGHBOR = -1  # the prediction for a query without neighbors


def knn_predict(
    queries: Tensor,
    gallery: Tensor,
    labels: Tensor,
    classes: int,
    k: int,
    temperature: float,
    query_groups: Tensor | None = None,
    gallery_groups: Tensor | None = None,
) -> Tensor:
    """Class with the largest sum of votes exp(cosine / temperature) among each query's k nearest images.

    Args:
        queries, gallery: (Q, D) and (G, D), rows of length 1. labels: (G,) int64, of the gallery.
        classes: number of classes, above every label. k: >= 1. temperature: > 0.
        query_groups, gallery_groups: (Q,) and (G,) int64; images of the query's own group are no neighbors.

    Returns:
        (Q,) int64; -1 where a query has no neighbor, as all images are of its own group.
    """
    predictions = []
    for start in range(0, len(queries), QUERY_CHUNK):
        cosines = queries[start : start + QUERY_CHUNK] @ gallery.T
        if query_groups is not None and gallery_groups is not None:
            same = query_groups[start : start + QUERY_CHUNK, None] == gallery_groups[None]
            cosines = cosines.masked_fill(same, -torch.inf)
        nearest, index = cosines.topk(min(k, len(gallery)), dim=1)
        votes = torch.zeros(len(cosines), classes)
        # Relative to the nearest, so that a small temperature cannot overflow.
        relative = ((nearest - nearest[:, :1]) / temperature).masked_fill(nearest.isneginf(), -torch.inf)
        votes.scatter_add_(1, labels[index], relative.exp())
        predictions.append(votes.argmax(1).masked_fill(votes.amax(1) == 0, NO_NEIGHBOR))
    return torch.cat(predictions)


@dataclasses.dataclass(frozen=True)
class Split:
    """Rows of the data set that are queries, (Q,) int64, and those that are the gallery, (G,) int64."""

    queries: Tensor
    gallery: Tensor
    rule: Rule


def split_of(dataset: Dataset, labels_seen: bool) -> Split:
    """The split a data set is evaluated with; images without a label are left out.

    - `test-train`: with a test part, test images are the queries and training images the gallery.
    - `leave-one-out`: without one, each group's first image is a query against those of all other groups, so that
      neither an image nor a variant of it (an emoji in another skin tone) is its own neighbor.
    - `held-out`: the same, but training has seen labels, so only the held-out groups are queries, against the others.
    """
    labeled = dataset.labels >= 0
    if len(dataset.test):
        test, train = (part[labeled[part]] for part in (dataset.test, dataset.train))
        return Split(test, train, "test-train")
    images = group_representatives(dataset)
    images = images[labeled[images]]
    if not labels_seen:
        return Split(images, images, "leave-one-out")
    held_out = torch.isin(images, dataset.held_out)
    return Split(images[held_out], images[~held_out], "held-out")


def has_split(dataset: Dataset, labels_seen: bool) -> bool:
    """Whether `split_of` has labeled queries, and other labeled images to find them among."""
    if not dataset.labeled:
        return False
    split = split_of(dataset, labels_seen)
    return len(split.queries) > 0 and len(split.gallery) > (split.rule == "leave-one-out")


def knn_correct(features: Tensor, dataset: Dataset, split: Split, k: int = 10, temperature: float = 0.1) -> Tensor:
    """Whether kNN predicts the label of each query, (Q,) bool, in the order of `split.queries`.

    Args:
        features: (N, D), of the whole data set.
    """
    features = F.normalize(features, dim=1)
    groups = dataset.groups[split.queries] if split.rule == "leave-one-out" else None
    predicted = knn_predict(
        features[split.queries],
        features[split.gallery],
        dataset.labels[split.gallery],
        len(dataset.classes),
        k,
        temperature,
        groups,
        groups,
    )
    return predicted == dataset.labels[split.queries]


def evaluate_knn(
    features: Tensor, dataset: Dataset, k: int = 10, temperature: float = 0.1, labels_seen: bool = False
) -> KnnResult:
    """kNN accuracy of features (N, D) of a whole data set, on the split of `split_of`."""
    split = split_of(dataset, labels_seen)
    accuracy = knn_correct(features, dataset, split, k, temperature).double().mean().item()
    count = len(split.queries)
    gallery, classes = len(split.gallery), len(dataset.classes)
    return KnnResult(accuracy, k, temperature, count, gallery, classes, dataset.label_kind, split.rule, dataset.title)


def evaluate_pixels(dataset: Dataset, size: int, labels_seen: bool = False) -> KnnResult:
    """The baseline: kNN accuracy of raw pixels at `size`, fewer in a large set, the mean image subtracted."""
    pixels = pixel_features(dataset.images, pixel_side(size, len(dataset.images)))
    return evaluate_knn(pixels - pixels.mean(0), dataset, labels_seen=labels_seen)
