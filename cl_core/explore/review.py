"""Images of a data set worth a second look: near-duplicates, odd ones out, and labels that the neighbors contradict."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from cl_core.data.dataset import Dataset, first_of_each
from cl_core.explore.flat_index import FlatIndex
from cl_core.explore.gallery import Gallery

NEIGHBORS = 10
TEMPERATURE = 0.1  # of the votes, as in kNN accuracy
MOST_QUERIES = 20_000  # images whose neighbors are searched for; of more, every n-th
CHUNK = 1_024


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two images and the cosine of their features."""

    row: int
    other: int
    cosine: float


@dataclasses.dataclass(frozen=True)
class Odd:
    """An image and the mean cosine to its nearest neighbors."""

    row: int
    cosine: float


@dataclasses.dataclass(frozen=True)
class Doubt:
    """An image whose neighbors vote for another label.

    own: share of the votes for its own label, 0 to 1. voted: the label with the largest share, `share`.
    """

    row: int
    own: float
    voted: int
    share: float


@dataclasses.dataclass(frozen=True)
class Review:
    """The nearest neighbors of a data set's images, one image of each group.

    rows: (Q,) int64, the images looked at. neighbors: (Q, K) int64, best first, and their cosines (Q, K). votes: (Q, C), shares
    of the votes for each label, by weights exp(cosine / 0.1) as in kNN accuracy. of: how many images there are.
    """

    dataset: Dataset
    rows: Tensor
    neighbors: Tensor
    cosines: Tensor
    votes: Tensor
    of: int

    def near_duplicates(self, among: Tensor | None = None) -> list[Pair]:
        """Each image with its nearest neighbor, the most similar pairs first; each pair once.

        Args:
            among: (N,) bool, images that both must belong to; by default all.
        """
        pairs = []
        nearest = self.neighbors[:, 0].tolist(), self.cosines[:, 0].tolist()
        for row, other, cosine in zip(self.rows.tolist(), *nearest, strict=True):
            if among is None or (among[row] and among[other]):
                pairs.append(Pair(min(row, other), max(row, other), cosine))
        distinct = {(each.row, each.other): each for each in pairs}
        return sorted(distinct.values(), key=lambda each: -each.cosine)

    def odd_ones(self, among: Tensor | None = None) -> list[Odd]:
        """Images by the mean cosine to their nearest neighbors, the lowest first."""
        means = self.cosines.mean(1)
        order = self._within(means.argsort(), among)
        return [Odd(int(self.rows[place]), float(means[place])) for place in order]

    def doubtful_labels(self, among: Tensor | None = None) -> list[Doubt]:
        """Labeled images whose neighbors vote for another label, the smallest share of the own label first.

        Where a method has learned from these labels, its features hide wrong ones.
        """
        labels = self.dataset.labels[self.rows]
        own = self.votes.gather(1, labels.clamp(min=0)[:, None])[:, 0]
        share, voted = self.votes.max(1)
        # Of equal shares of the own label, the more certain vote comes first.
        order = self._within((own - 1e-3 * share).argsort(), among)
        return [
            Doubt(int(self.rows[place]), float(own[place]), int(voted[place]), float(share[place]))
            for place in order
            if labels[place] >= 0 and voted[place] != labels[place] and share[place] > 0
        ]

    def _within(self, order: Tensor, among: Tensor | None) -> list[int]:
        kept = order if among is None else order[among[self.rows[order]]]
        places: list[int] = kept.tolist()
        return places


def review(gallery: Gallery) -> Review:
    """Find the nearest neighbors of a gallery's images among its groups.

    Of more than 20,000 images every n-th is looked at; its neighbors are found among all.
    """
    data = gallery.dataset
    positions = first_of_each(data.groups[gallery.rows])
    rows, count = gallery.rows[positions], len(positions)
    index = gallery.index if count == len(gallery.rows) else FlatIndex(gallery.features[positions])
    looked = torch.arange(0, count, -(-count // MOST_QUERIES))
    cosines, neighbors = [], []
    for part in looked.split(CHUNK):
        values, found = index.search(index.vectors[part], min(NEIGHBORS + 1, count))
        itself = found == part[:, None]
        # The image itself comes last, also where equal images come first or an approximate search misses it.
        order = itself.to(torch.uint8).argsort(dim=1, stable=True)[:, : max(1, found.shape[1] - 1)]
        cosines.append(values.gather(1, order))
        neighbors.append(rows[found.gather(1, order)])
    near, nearest = torch.cat(cosines), torch.cat(neighbors)
    return Review(data, rows[looked], nearest, near, _votes(data, nearest, near), count)


def _votes(dataset: Dataset, neighbors: Tensor, cosines: Tensor) -> Tensor:
    labels = dataset.labels[neighbors]
    weights = ((cosines - cosines[:, :1]) / TEMPERATURE).exp() * (labels >= 0)
    votes = torch.zeros(len(neighbors), max(1, len(dataset.classes))).scatter_add_(1, labels.clamp(min=0), weights)
    return votes / votes.sum(1, keepdim=True).clamp(min=1e-12)
