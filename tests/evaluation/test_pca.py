"""Principal components against scikit-learn, and of features with fewer dimensions than asked for."""

from __future__ import annotations

import pytest
import torch
from sklearn.decomposition import PCA

from cl_core.evaluation.pca import pca, pca_axes


@pytest.mark.parametrize("shape", [(40, 6), (12, 30)])
def test_equals_scikit_learn_but_for_signs(shape: tuple[int, int]) -> None:
    features = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    expected = torch.from_numpy(PCA(2).fit_transform(features.numpy())).float()
    assert torch.allclose(pca(features).abs(), expected.abs(), atol=1e-4)


def test_features_of_one_dimension_lie_on_a_line() -> None:
    features = torch.tensor([[1.0], [3.0], [8.0]])
    mean, axes = pca_axes(features)
    assert mean.tolist() == [4.0] and axes.tolist() == [[1.0, 0.0]]
    assert pca(features).tolist() == [[-3.0, 0.0], [-1.0, 0.0], [4.0, 0.0]]
