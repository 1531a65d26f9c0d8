"""Reweighted negatives against the authors' formula, pair by pair, and the losses they contain."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses import hard_negative_nt_xent, nt_xent

VALUES = [(0.5, 0.0, 0.0), (0.5, 1.0, 0.0), (0.5, 0.0, 0.1), (0.2, 1.0, 0.1), (0.1, 2.0, 0.3), (1.0, 0.5, 0.9)]


def naive(z1: Tensor, z2: Tensor, t: float, hardness: float, prior: float) -> float:
    """Robinson et al. 2021, appendix; Chuang et al. 2020, eq. 8 for hardness 0."""
    z = F.normalize(torch.cat([z1, z2]).double(), dim=1)
    count = len(z1)
    total = 0.0
    for i in range(2 * count):
        own = (i + count) % (2 * count)
        pos = math.exp(float(z[i] @ z[own]) / t)
        negatives = [math.exp(float(z[i] @ z[j]) / t) for j in range(2 * count) if j not in (i, own)]
        weights = [value**hardness for value in negatives]
        mean = sum(weights) / len(weights)
        reweighted = sum(w * n for w, n in zip(weights, negatives, strict=True)) / mean
        estimate = (-prior * len(negatives) * pos + reweighted) / (1 - prior)
        estimate = max(estimate, len(negatives) * math.exp(-1 / t))
        total -= math.log(pos / (pos + estimate))
    return total / (2 * count)


@pytest.mark.parametrize(("temperature", "hardness", "prior"), VALUES)
def test_the_formula(temperature: float, hardness: float, prior: float) -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 9, 6)
    expected = naive(z1, z2, temperature, hardness, prior)
    given = (temperature, hardness, prior)
    assert hard_negative_nt_xent(z1.double(), z2.double(), *given).item() == pytest.approx(expected, rel=1e-11)
    assert hard_negative_nt_xent(z1, z2, *given).item() == pytest.approx(expected, rel=2e-4)


def test_it_contains_nt_xent() -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 9, 6).double()
    for t in (0.05, 0.5, 5.0):
        assert hard_negative_nt_xent(z1, z2, t, 0, 0).item() == pytest.approx(nt_xent(z1, z2, t).item(), rel=1e-12)


def test_harder_negatives_cost_more_and_a_prior_less() -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 9, 6)
    hardness = [hard_negative_nt_xent(z1, z2, 0.5, beta, 0.0).item() for beta in (0.0, 0.5, 1.0, 2.0)]
    assert hardness == sorted(hardness)
    priors = [hard_negative_nt_xent(z1, z1 + 0.1 * z2, 0.5, 0.0, prior).item() for prior in (0.0, 0.05, 0.1)]
    assert priors == sorted(priors, reverse=True)


@pytest.mark.parametrize(("temperature", "hardness", "prior"), VALUES)
def test_gradients(temperature: float, hardness: float, prior: float) -> None:
    torch.manual_seed(1)
    z1, z2 = torch.randn(2, 4, 5, dtype=torch.double, requires_grad=True)
    t = torch.tensor(temperature, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b, c: hard_negative_nt_xent(a, b, c, hardness, prior), (z1, z2, t))


def test_gradients_stay_finite_where_the_estimate_is_at_its_bound() -> None:
    z = torch.eye(6).requires_grad_()  # each pair agrees, and all negatives are far
    loss = hard_negative_nt_xent(z, z.detach().clone(), 0.05, 1.0, 0.5)
    (gradient,) = torch.autograd.grad(loss, z)
    assert torch.isfinite(loss) and torch.isfinite(gradient).all()


def test_wrong_numbers_are_refused() -> None:
    z = torch.randn(4, 3)
    for hardness, prior in ((-1.0, 0.0), (math.inf, 0.0), (0.0, 1.0), (0.0, -0.1)):
        with pytest.raises(ValueError, match="must be at least 0"):
            hard_negative_nt_xent(z, z, 0.5, hardness, prior)
    with pytest.raises(ValueError, match="at least 2 images"):
        hard_negative_nt_xent(z[:1], z[:1])
