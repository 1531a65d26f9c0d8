"""The loss taken apart must be the loss."""

from __future__ import annotations

import pytest
import torch

from cl_core.anatomy import nt_xent_anatomy
from cl_core.losses import nt_xent


@pytest.mark.parametrize("temperature", [0.01, 0.05, 0.1, 0.5, 1.0, 10.0])
def test_agrees_with_the_loss(temperature: float) -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(6, 12), torch.randn(6, 12)
    parts = nt_xent_anatomy(z1, z2, temperature)
    assert parts.loss == pytest.approx(nt_xent(z1, z2, temperature).item(), rel=1e-6)
    assert parts.probabilities.sum(1) == pytest.approx(torch.ones(12), abs=1e-5)
    assert parts.probabilities.diagonal().abs().max() == 0
    assert torch.equal(parts.positive, torch.tensor([6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5]))


def test_gradient_weights_are_the_derivative_by_each_cosine() -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(4, 8, dtype=torch.float64), torch.randn(4, 8, dtype=torch.float64)
    parts = nt_xent_anatomy(z1, z2, 0.3)
    cosines = parts.cosines.clone().requires_grad_()
    logits = (cosines / 0.3).masked_fill(torch.eye(8, dtype=torch.bool), -torch.inf)
    torch.nn.functional.cross_entropy(logits, parts.positive, reduction="sum").backward()
    assert cosines.grad is not None
    assert torch.allclose(parts.gradient, cosines.grad, atol=1e-12)
    assert (parts.gradient.gather(1, parts.positive[:, None]) < 0).all()
