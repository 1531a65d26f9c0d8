"""The map of a run on words: its most frequent words as points, in clusters named by their words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from cl_core.explore import projection
from cl_core.explore.projection import PROJECTORS, Projector
from cl_core.words.questions import WordSpace
from cl_core.words.run_folder import WordRun

SHOWN = 2000  # words of the map
CLUSTERS = 10


@dataclasses.dataclass(frozen=True)
class Clusters:
    """members: (P,) int64, the cluster of each word; names: each cluster's most central words."""

    members: Tensor
    names: list[str]


def shown_vectors(run: WordRun) -> Tensor:
    """Unit vectors of the most frequent words, (P, D)."""
    return WordSpace.of(run.vocabulary, run.vectors).unit[:SHOWN]


def map_key(run: WordRun) -> str:
    return f"{SHOWN}-{run.key}"


def word_map(run: WordRun, projector: Projector) -> Tensor:
    """Points (P, 2) of the most frequent words, from where they were kept or computed."""
    return projection.project(lambda: shown_vectors(run), projector, run.folder.path, map_key(run))


def compute_word_maps(run: WordRun) -> Iterator[Projector]:
    """Compute every map and keep it in the run's own folder; yields each projector when it is done."""
    for projector in PROJECTORS:
        if not projection.is_kept(run.folder.path, map_key(run), projector):
            points = projection.COMPUTE[projector](shown_vectors(run))
            projection.save(points, run.folder.path / "projections", map_key(run), projector)
            yield projector


def clusters(run: WordRun) -> Clusters:
    """k-means on the unit vectors of the shown words, seeded; the largest cluster first."""
    from sklearn.cluster import KMeans

    vectors = shown_vectors(run)
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
