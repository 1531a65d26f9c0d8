"""What a map in two dimensions shows: regions of one class, and how many neighbors it keeps."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from cl_core.evaluation.neighbors import nearest_others

AROUND = 12  # images that decide whether a place belongs to a class
MIN_SHARE = 0.5
NEIGHBORS = 10


@dataclasses.dataclass(frozen=True)
class Region:
    """A place on the map where one class is the majority.

    Attributes:
        point: position of the image in its middle.
        label: the class.
        share: of the images around it that have the class, 0 to 1.
        count: images of the class there.
    """

    point: int
    label: int
    share: float
    count: int


def regions(points: Tensor, labels: Tensor) -> list[Region]:
    """The place of each class that has one, those with most images first.

    Args:
        points: (P, 2). labels: (P,) int64, -1 for unlabeled images.
    """
    if len(points) <= AROUND:
        return []
    near = _nearest(points, AROUND)
    same = (labels[near] == labels[:, None]).float().mean(1)
    found = []
    for label in labels[labels >= 0].unique().tolist():
        members = (labels == label).nonzero()[:, 0]
        inside = members[same[members] >= MIN_SHARE]
        if len(inside) < AROUND // 2:
            continue
        # Of the images whose surroundings are purest the one nearest to the middle of them all.
        pure = inside[same[inside] >= same[inside].max() - 1 / AROUND]
        middle = points[inside].median(0).values
        point = pure[(points[pure] - middle).square().sum(1).argmin()]
        found.append(Region(int(point), label, float(same[point]), len(inside)))
    return sorted(found, key=lambda region: (-region.count, region.label))


def _nearest(points: Tensor, k: int) -> Tensor:
    """The k nearest points to each, itself among them, (P, k) int64."""
    from scipy.spatial import cKDTree

    values = points.double().numpy()
    return torch.from_numpy(cKDTree(values).query(values, k)[1])


@dataclasses.dataclass(frozen=True)
class NeighborPreservation:
    """How well a map keeps the neighbors of the features.

    Attributes:
        neighbors: fraction of each image's 10 nearest by cosine of the features that are among its 10 nearest on the map.
        accuracy, accuracy_on_map: of the majority label of these 10, by features and on the map; None without labels.
    """

    neighbors: float
    accuracy: float | None
    accuracy_on_map: float | None


def neighbor_preservation(points: Tensor, features: Tensor, labels: Tensor, groups: Tensor) -> NeighborPreservation:
    """Compare the neighbors on a map with those in the full space; images of one group are not neighbors.

    Args:
        points: (P, 2). features: (P, D) of length 1. labels, groups: (P,) int64; label -1 means unlabeled.
    """
    everything = torch.arange(len(points))
    by_features = nearest_others(features, groups, everything, NEIGHBORS)[1]
    on_map = _nearest_others_on_map(points, groups)
    both = (by_features[:, :, None] == on_map[:, None, :]).any(2)
    if not bool((labels >= 0).any()):
        return NeighborPreservation(float(both.float().mean()), None, None)
    accuracies = [float(_majority(near, labels)) for near in (by_features, on_map)]
    return NeighborPreservation(float(both.float().mean()), *accuracies)


def _majority(near: Tensor, labels: Tensor) -> Tensor:
    return (labels[near].mode(1).values == labels)[labels >= 0].float().mean()


def _nearest_others_on_map(points: Tensor, groups: Tensor) -> Tensor:
    """Positions of the 10 nearest points of other groups, (P, 10) int64."""
    largest = int(groups.bincount().max())
    count = min(len(points), NEIGHBORS + largest)
    near = _nearest(points, count)
    others = groups[near] != groups[:, None]
    # Stable: among those of other groups the order by distance stays.
    order = (~others).int().argsort(dim=1, stable=True)[:, :NEIGHBORS]
    return near.gather(1, order)
