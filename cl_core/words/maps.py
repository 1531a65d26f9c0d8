"""Maps of a run on words: positions and clusters of its most frequent words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from cl_core.explore import projection
from cl_core.explore.projection import PROJECTORS, Projector
from cl_core.words.folder import WordRun
from cl_core.words.similarity import WordSpace

MAP_WORDS = 2000
CLUSTERS = 10


@dataclasses.dataclass(frozen=True)
class Clusters:
    """Clusters of words.

    Attributes:
        members: (P,) int64, the cluster of each word.
        names: the three most central words of each cluster.
    """

    members: Tensor
    names: list[str]


def map_vectors(run: WordRun) -> Tensor:
    """Unit vectors of the most frequent words, (P, D)."""
    return WordSpace.of(run.vocabulary, run.vectors).unit[:MAP_WORDS]


def map_key(run: WordRun) -> str:
    return f"{MAP_WORDS}-{run.key}"


def word_map(run: WordRun, projector: Projector) -> Tensor:
    """Positions of the most frequent words, (P, 2) float32, stored ones or computed."""
    return projection.project(lambda: map_vectors(run), projector, run.folder.path, map_key(run))


def compute_word_maps(run: WordRun) -> Iterator[Projector]:
    """Compute the maps that are missing in the run folder and store them there; yields the projector of each."""
    for projector in PROJECTORS:
        if not projection.is_saved(run.folder.path, map_key(run), projector):
            points = projection.COMPUTE[projector](map_vectors(run))
            projection.save(points, run.folder.path / "projections", map_key(run), projector)
            yield projector


def clusters(run: WordRun) -> Clusters:
    """k-means on the unit vectors of the words of the map, with a fixed seed; sorted by size, the largest first."""
    from sklearn.cluster import KMeans

    vectors = map_vectors(run)
    count = min(CLUSTERS, len(vectors))
    model = KMeans(count, n_init=4, random_state=0).fit(vectors.numpy())
    labels, centers = torch.from_numpy(model.labels_).long(), torch.from_numpy(model.cluster_centers_).float()
    by_size = labels.bincount(minlength=count).argsort(descending=True)
    rank = by_size.argsort()
    names = []
    for number in by_size.tolist():
        members = (labels == number).nonzero()[:, 0]
        central = members[(vectors[members] @ centers[number]).topk(min(3, len(members))).indices]
        names.append(", ".join(run.vocabulary.words[i] for i in central.tolist()))
    return Clusters(rank[labels], names)
