"""k nearest neighbors on frozen features (Wu et al. 2018, section 3.4)."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.data.dataset import Dataset, group_representatives
from cl_core.models.embedding import pixel_features

QUERY_CHUNK = 1024


@dataclasses.dataclass(frozen=True)
class KnnResult:
    """Accuracy in [0, 1] with all that is needed to measure it again."""

    accuracy: float
    k: int
    temperature: float
    queries: int
    gallery: int
    classes: int
    label: str
    rule: str
    data: str = ""  # title of the data set; runs from before it was kept have none

    def protocol(self) -> str:
        """The protocol in one line, to print beside the figure."""
        data = f"{self.data}: " if self.data else ""
        return (
            f"{data}top-1 of {self.queries:,} queries against {self.gallery:,} images, label: {self.label} "
            f"({self.classes} classes), cosine, k = {self.k}, votes weighted exp(cosine / {self.temperature:g}), {self.rule}"
        )


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
    """Class with the most weight among each query's k nearest, each voting exp(cosine / temperature).

    Args:
        queries: (Q, D). gallery: (G, D). Both of length 1. labels: (G,) int64.
        query_groups, gallery_groups: where equal, the image is not a neighbor of the query.

    Returns:
        (Q,) int64.
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
        votes.scatter_add_(1, labels[index], ((nearest - nearest[:, :1]) / temperature).exp())
        predictions.append(votes.argmax(1))
    return torch.cat(predictions)


@dataclasses.dataclass(frozen=True)
class Split:
    """Which images are asked about, which they are compared with: (Q,) and (G,) int64 rows."""

    queries: Tensor
    gallery: Tensor
    rule: str
    leave_one_out: bool = False


def split_of(dataset: Dataset, labels_seen: bool) -> Split:
    """How a data set is evaluated.

    With a test part: test against train. Without: every group's first image against those of all
    other groups, so that neither an image nor a variant of it (an emoji in another skin tone) is a hit.
    Where a training has seen labels, only the held-out groups are asked about, against the others.
    """
    labeled = dataset.labels >= 0
    if len(dataset.test):
        test, train = (part[labeled[part]] for part in (dataset.test, dataset.train))
        return Split(test, train, "test part against train part")
    images = group_representatives(dataset)
    images = images[labeled[images]]
    if not labels_seen:
        return Split(images, images, "one image a group, leave one out", leave_one_out=True)
    held_out = torch.isin(images, dataset.held_out)
    rule = "one image a group, those whose labels no training saw against the others"
    return Split(images[held_out], images[~held_out], rule)


def evaluate_knn(
    features: Tensor, dataset: Dataset, k: int = 10, temperature: float = 0.1, labels_seen: bool = False
) -> KnnResult:
    """kNN accuracy of features (N, D) of a whole data set, on the images that `split_of` says."""
    features = F.normalize(features, dim=1)
    split = split_of(dataset, labels_seen)
    groups = dataset.groups[split.queries] if split.leave_one_out else None
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
    accuracy = (predicted == dataset.labels[split.queries]).double().mean().item()
    count = len(split.queries)
    gallery, classes = len(split.gallery), len(dataset.classes)
    return KnnResult(accuracy, k, temperature, count, gallery, classes, dataset.label_kind, split.rule, dataset.title)


def evaluate_pixels(dataset: Dataset, size: int, labels_seen: bool = False) -> KnnResult:
    """The same on raw pixels at `size`, the mean image subtracted: what an encoder must beat."""
    pixels = pixel_features(dataset.images, size)
    return evaluate_knn(pixels - pixels.mean(0), dataset, labels_seen=labels_seen)
