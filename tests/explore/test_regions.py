"""Regions of a map and the neighbors it keeps, on layouts made by hand and against plain loops."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from cl_core.explore.regions import neighbor_preservation, regions


def blobs() -> tuple[torch.Tensor, torch.Tensor]:
    """Three groups far apart, of 40, 20 and 10 points, and 10 points of a fourth class spread over all of them."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.tensor([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]])
    labels = torch.tensor([0] * 40 + [1] * 20 + [2] * 10)
    points = centers[labels] + torch.randn(70, 2, generator=generator)
    strays = centers[torch.arange(10) % 3] + torch.randn(10, 2, generator=generator)
    return torch.cat([points, strays]), torch.cat([labels, torch.full((10,), 3)])


def test_each_class_that_keeps_together_has_a_region_in_its_middle() -> None:
    points, labels = blobs()
    found = regions(points, labels)
    assert [region.label for region in found] == [0, 1, 2], "the fourth is nowhere the majority"
    for region in found:
        members = points[labels == region.label]
        assert labels[region.point] == region.label
        assert (points[region.point] - members.mean(0)).norm() < 1.5
        assert 0.5 <= region.share <= 1
        assert region.count <= len(members)


def test_unlabeled_images_and_few_points_have_no_region() -> None:
    points, labels = blobs()
    assert regions(points, torch.full_like(labels, -1)) == []
    assert regions(points[:5], labels[:5]) == []


def test_kept_neighbors_against_a_plain_loop() -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(60, 2, generator=generator)
    features = F.normalize(torch.randn(60, 8, generator=generator), dim=1)
    labels, groups = torch.arange(60) % 4, torch.arange(60) // 2  # pairs are no neighbors
    both, right, right_here = 0, 0, 0
    for i in range(60):
        others = [j for j in range(60) if groups[j] != groups[i]]
        full = sorted(others, key=lambda j: -float(features[i] @ features[j]))[:10]
        here = sorted(others, key=lambda j: float((points[i] - points[j]).norm()))[:10]
        both += len(set(full) & set(here))
        right += int(labels[full].mode().values) == int(labels[i])
        right_here += int(labels[here].mode().values) == int(labels[i])
    found = neighbor_preservation(points, features, labels, groups)
    assert abs(found.neighbors - both / 600) < 1e-6
    assert found.accuracy is not None and abs(found.accuracy - right / 60) < 1e-6
    assert found.accuracy_on_map is not None and abs(found.accuracy_on_map - right_here / 60) < 1e-6
    assert neighbor_preservation(points, features, torch.full((60,), -1), groups).accuracy is None


def test_a_map_that_is_the_space_keeps_everything() -> None:
    angles = torch.rand(50, generator=torch.Generator().manual_seed(2)) * 1.5
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    assert neighbor_preservation(circle, circle, torch.arange(50) % 3, torch.arange(50)).neighbors == 1
