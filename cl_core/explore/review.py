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
MAX_QUERIES = 20_000  # images whose neighbors are searched for; of more, every n-th
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

    rows: (Q,) int64, the images looked at. neighbors: (Q, K) int64, best first, and their cosines (Q, K). own: (Q,), the share of
    the votes for the image's own label, by weights exp(cosine / 0.1) as in kNN accuracy; voted: (Q,) int64, the label with most
    votes, and share: (Q,), its share. of: how many images there are.
    """

    dataset: Dataset
    rows: Tensor
    neighbors: Tensor
    cosines: Tensor
    own: Tensor
    voted: Tensor
    share: Tensor
    of: int

    def near_duplicates(self, among: Tensor | None = None) -> list[Pair]:
        """Each image with its nearest neighbor, the most similar pairs first; each pair once.

        Args:
            among: (N,) bool, images that both must belong to; by default all. The neighbor is then the first of these.
        """
        found: dict[tuple[int, int], float] = {}
        for row, others, cosines in zip(self.rows.tolist(), self.neighbors.tolist(), self.cosines.tolist(), strict=True):
            for other, cosine in zip(others, cosines, strict=True):
                if other != row and (among is None or (among[row] and among[other])):
                    found[min(row, other), max(row, other)] = cosine
                    break
        return sorted((Pair(*rows, cosine) for rows, cosine in found.items()), key=lambda each: -each.cosine)

    def odd_ones(self, among: Tensor | None = None) -> list[Odd]:
        """Images by the mean cosine to their nearest neighbors, the lowest first."""
        means = self.cosines.mean(1)
        order = self._within(means.argsort(), among)
        return [Odd(int(self.rows[place]), float(means[place])) for place in order]

    def doubtful_labels(self, among: Tensor | None = None) -> list[Doubt]:
        """Labeled images whose neighbors vote for another label, the smallest share of the own label first.

        Where a method has learned from these labels, its features hide wrong ones.
        """
        labels, own, voted, share = self.dataset.labels[self.rows], self.own, self.voted, self.share
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
    looked = torch.arange(0, count, -(-count // MAX_QUERIES))
    cosines, neighbors, votes = [], [], []
    for part in looked.split(CHUNK):
        values, found = index.search(index.vectors[part], min(NEIGHBORS + 1, count))
        itself = found == part[:, None]
        # The image itself comes last, also where equal images come first or an approximate search misses it.
        order = itself.to(torch.uint8).argsort(dim=1, stable=True)[:, : max(1, found.shape[1] - 1)]
        cosines.append(values.gather(1, order))
        neighbors.append(rows[found.gather(1, order)])
        votes.append(_votes(data, rows[part], neighbors[-1], cosines[-1]))
    own, voted, share = (torch.cat(each) for each in zip(*votes, strict=True))
    return Review(data, rows[looked], torch.cat(neighbors), torch.cat(cosines), own, voted, share, count)


def _votes(dataset: Dataset, rows: Tensor, neighbors: Tensor, cosines: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Share of the own label, label with most votes, and its share, (Q,) each."""
    labels = dataset.labels[neighbors]
    weights = ((cosines - cosines[:, :1]) / TEMPERATURE).exp() * (labels >= 0)
    votes = torch.zeros(len(neighbors), max(1, len(dataset.classes))).scatter_add_(1, labels.clamp(min=0), weights)
    votes /= votes.sum(1, keepdim=True).clamp(min=1e-12)
    share, voted = votes.max(1)
    return votes.gather(1, dataset.labels[rows].clamp(min=0)[:, None])[:, 0], voted, share
