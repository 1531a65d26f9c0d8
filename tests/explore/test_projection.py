"""Projections against scikit-learn, and their cache."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sklearn.decomposition import PCA

from cl_core.evaluation.pca import pca
from cl_core.explore import projection
from cl_core.explore.projection import PROJECTORS, align

pytestmark = pytest.mark.slow


@pytest.fixture
def blobs() -> torch.Tensor:
    torch.manual_seed(0)
    centers = torch.randn(3, 12) * 6
    return torch.nn.functional.normalize(centers.repeat_interleave(30, 0) + torch.randn(90, 12), dim=1)


def test_pca_equals_scikit_learn(blobs: torch.Tensor) -> None:
    theirs = torch.from_numpy(PCA(2, svd_solver="full").fit_transform(blobs.double().numpy()))
    ours = pca(blobs.double())
    assert torch.allclose(ours.abs(), theirs.abs(), atol=1e-8)
    assert torch.equal(ours, pca(blobs.double()))


@pytest.mark.parametrize("largest", [4096, 10])  # by all eigenvectors, and by Lanczos
def test_pca_of_more_columns_than_rows_equals_scikit_learn(monkeypatch: pytest.MonkeyPatch, largest: int) -> None:
    """As of pixels: a matrix of all pairs of 12,288 columns would take minutes, of 65,712 no machine has the memory."""
    monkeypatch.setattr("cl_core.evaluation.pca.MAX_EIGH", largest)
    values = torch.randn(40, 300, generator=torch.Generator().manual_seed(0)) * torch.linspace(1, 5, 300)
    found, expected = pca(values, 3), PCA(3, svd_solver="full").fit_transform(values.numpy())
    for column in range(3):
        sign = 1 if found[0, column] * expected[0, column] > 0 else -1
        assert found[:, column].numpy() == pytest.approx(sign * expected[:, column], abs=1e-2)


def test_pca_of_few_images_of_many_pixels_has_all_the_dimensions_asked_for() -> None:
    values = torch.randn(5, 12_288, generator=torch.Generator().manual_seed(0))
    found = pca(values, 8)
    assert found.shape == (5, 8) and not found[:, 4:].any()  # five centered points span four
    assert torch.allclose(torch.cdist(found, found), torch.cdist(values, values), rtol=1e-3)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_each_projector_keeps_clusters_together(blobs: torch.Tensor, projector: projection.Projector) -> None:
    points = projection.COMPUTE[projector](blobs)
    assert points.shape == (90, 2)
    assert torch.isfinite(points).all()
    labels = torch.arange(3).repeat_interleave(30)
    nearest = torch.cdist(points, points).fill_diagonal_(torch.inf).argmin(1)
    assert (labels[nearest] == labels).float().mean() > 0.95


@pytest.mark.parametrize("projector", PROJECTORS)
@pytest.mark.parametrize("count", [1, 2, 4])
def test_few_images_have_a_map(blobs: torch.Tensor, projector: projection.Projector, count: int) -> None:
    points = projection.COMPUTE[projector](blobs[:count])
    assert points.shape == (count, 2) and torch.isfinite(points).all()


def test_a_map_is_computed_once(blobs: torch.Tensor, tmp_path: Path) -> None:
    calls = []

    def features() -> torch.Tensor:
        calls.append(1)
        return blobs

    first = projection.project(features, "tsne", tmp_path, "once")
    second = projection.project(features, "tsne", tmp_path, "once")
    assert len(calls) == 1
    scale = first.abs().max()
    assert torch.allclose(first / scale, second, atol=1e-3)


def test_points_in_the_run_folder_take_precedence(blobs: torch.Tensor, tmp_path: Path) -> None:
    points = torch.tensor([[0.5, 1.0], [-1.0, 0.25]])
    projection.save(points, tmp_path / "projections", "shipped", "umap")
    assert torch.equal(projection.project(lambda: blobs, "umap", tmp_path, "shipped"), points)


def test_align_undoes_rotation_reflection_and_scaling() -> None:
    points = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    transformed = 3 * points @ torch.tensor([[0.6, 0.8], [0.8, -0.6]]) + torch.tensor([5.0, -2.0])
    own, back = align(points, points), align(transformed, points)
    assert torch.allclose(own, back, atol=1e-5)
    assert float(own.square().sum(1).mean()) == pytest.approx(1, rel=1e-5)
    assert torch.allclose(own.mean(0), torch.zeros(2), atol=1e-6)
