"""Barlow Twins and VICReg against lightly, and what their parts are for collapsed or perfect embeddings."""

from __future__ import annotations

import pytest
import torch
from lightly.loss import BarlowTwinsLoss, VICRegLoss

from cl_core.losses import (
    VICRegWeights,
    barlow_twins,
    barlow_twins_chance_level,
    cross_correlation,
    vicreg,
    vicreg_chance_level,
    vicreg_terms,
)
from cl_core.losses.cross_correlation import correlation_terms


@pytest.mark.parametrize(("count", "dimensions", "weight"), [(8, 5, 0.005), (30, 64, 0.01), (2, 3, 1.0)])
def test_barlow_twins_of_lightly(count: int, dimensions: int, weight: float) -> None:
    torch.manual_seed(0)
    values = 3 * torch.randn(2, count, dimensions) + 1
    found = []
    for function in (lambda a, b: barlow_twins(a, b, weight), BarlowTwinsLoss(weight)):
        z1, z2 = values[0].clone().requires_grad_(), values[1].clone().requires_grad_()
        loss = function(z1, z2)
        found.append([loss.detach(), *torch.autograd.grad(loss, (z1, z2))])
    for mine, expected in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-5)


def test_the_cross_correlation_is_numpys() -> None:
    import numpy as np

    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 40, 6, dtype=torch.double)
    expected = np.corrcoef(z1.T.numpy(), z2.T.numpy())[:6, 6:]
    np.testing.assert_allclose(cross_correlation(z1, z2).numpy(), expected, atol=1e-4)
    terms = correlation_terms(cross_correlation(z1, z2), 0.005)
    assert terms.sum().item() == pytest.approx(barlow_twins(z1, z2).item(), rel=1e-12)


def test_barlow_twins_is_least_for_equal_views_of_unrelated_dimensions() -> None:
    torch.manual_seed(0)
    z = torch.linalg.qr(torch.randn(40, 8, dtype=torch.double) - 0)[0]
    z = torch.linalg.qr(z - z.mean(0))[0] * 40**0.5
    assert barlow_twins(z, z).item() < 1e-6
    assert barlow_twins(torch.ones(40, 8), torch.ones(40, 8)).item() == barlow_twins_chance_level(8)
    many = torch.randn(2, 20_000, 8)
    assert barlow_twins(*many).item() == pytest.approx(barlow_twins_chance_level(8), rel=0.01)


@pytest.mark.parametrize(("count", "dimensions"), [(8, 5), (30, 64), (2, 3)])
def test_vicreg_of_lightly(count: int, dimensions: int) -> None:
    torch.manual_seed(0)
    values = 0.7 * torch.randn(2, count, dimensions) + 1
    weights = VICRegWeights(10.0, 20.0, 3.0)
    found = []
    # lightly divides the covariances of each view by the number of dimensions, as here.
    for function in (lambda a, b: vicreg(a, b, weights), VICRegLoss(10.0, 20.0, 3.0)):
        z1, z2 = values[0].clone().requires_grad_(), values[1].clone().requires_grad_()
        loss = function(z1, z2)
        found.append([loss.detach(), *torch.autograd.grad(loss, (z1, z2))])
    for mine, expected in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-5)


def test_the_terms_of_vicreg() -> None:
    torch.manual_seed(0)
    collapsed = vicreg_terms(torch.ones(9, 4), torch.ones(9, 4))
    assert (float(collapsed.invariance), float(collapsed.covariance)) == (0.0, 0.0)
    assert float(collapsed.weighted(VICRegWeights())) == pytest.approx(vicreg_chance_level())
    wide = 10 * torch.randn(9, 4)
    assert float(vicreg_terms(wide, wide).variance) == 0.0, "a standard deviation above 1 costs nothing"
    apart = vicreg_terms(wide, wide + 2)
    assert float(apart.invariance) == pytest.approx(4.0)


@pytest.mark.parametrize("function", [barlow_twins, vicreg])
def test_gradients_of_half_precision_and_of_constants(function: object) -> None:
    assert callable(function)
    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 6, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(function, (z1, z2))
    half = torch.randn(6, 4).bfloat16().requires_grad_()
    loss = function(half, half.detach())
    assert loss.dtype == torch.float32
    constant = torch.ones(6, 4).requires_grad_()
    (gradient,) = torch.autograd.grad(function(constant, constant * 1.0), constant)
    assert torch.isfinite(gradient).all()
    with pytest.raises(ValueError, match="at least 2 images"):
        function(torch.ones(1, 3), torch.ones(1, 3))
