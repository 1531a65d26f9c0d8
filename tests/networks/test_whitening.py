"""Whitening makes directions vary alike, and changes nothing that reads the features."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cl_core.networks.encoders.registry import build_encoder
from cl_core.networks.methods import METHODS, TRAINABLE, DataShape
from cl_core.networks.whitening import RIDGE, Whitening, keep_output
from cl_core.runs.config import RunConfig


def correlated(count: int, dim: int) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(count, dim, dtype=torch.double) @ torch.randn(dim, dim, dtype=torch.double) + 3


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_variances_become_a_power_of_themselves(strength: float) -> None:
    features, whitening = correlated(4000, 6), Whitening(6).double()
    before = torch.linalg.eigvalsh(torch.cov(features.T))
    inverse = whitening.fit(features, strength)
    white = (features - whitening.mean) @ whitening.matrix
    assert torch.allclose(white.mean(0), torch.zeros(6, dtype=torch.double), atol=1e-6)
    after = torch.linalg.eigvalsh(torch.cov(white.T))
    ratio = after / (before * (before + RIDGE * before.mean()) ** -strength)
    assert torch.allclose(ratio, ratio.mean().expand(6), rtol=1e-4), "up to a common factor"
    assert torch.allclose(white @ inverse + whitening.mean, features, atol=1e-6)
    if strength == 1.0:
        assert after.max() / after.min() < before.max() / before.min() / 5


def test_it_is_the_identity_until_it_is_fitted() -> None:
    features = torch.randn(5, 4)
    assert torch.equal(Whitening(4)(features), features)


def test_few_and_constant_features() -> None:
    whitening = Whitening(8)
    whitening.fit(correlated(3, 8), 1.0)
    assert whitening.matrix.isfinite().all()
    whitening.fit(torch.ones(5, 8), 0.75)
    assert whitening.matrix.isfinite().all()


@pytest.mark.parametrize("name", TRAINABLE)
def test_embeddings_stay_as_they_are(name: str) -> None:
    torch.manual_seed(0)
    config = RunConfig(method=name, projection_hidden=16, projection_dim=8, whitening=0.75, queue_size=256)
    method = METHODS[name](build_encoder("cnn", 16), config, DataShape(40, 3))
    images = torch.rand(200, 3, 16, 16)
    for _ in range(3):
        method.project(method.encoder(images))  # running statistics
    method.eval()
    with torch.no_grad():
        before_h, before_z = method.encoder(images), method.project(method.encoder(images))
        method.whiten(lambda: method.encoder(images), config.whitening)
        with pytest.raises(ValueError, match="whitened already"):
            method.whiten(lambda: method.encoder(images), config.whitening)
        after_h, after_z = method.encoder(images), method.project(method.encoder(images))
    assert torch.allclose(after_z, before_z, atol=1e-3 * float(before_z.abs().max()))
    assert not torch.allclose(after_h, before_h, atol=0.1)
    assert torch.linalg.cond(torch.cov(after_h.T)) < torch.linalg.cond(torch.cov(before_h.T))


def test_a_layer_without_room_for_a_constant_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for a constant"):
        keep_output(nn.Linear(4, 2, bias=False), None, torch.ones(4), torch.eye(4).double())
