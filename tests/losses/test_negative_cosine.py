"""SimSiam's loss: bounds, closed forms, gradient."""

from __future__ import annotations

import pytest
import torch

from cl_core.losses import negative_cosine


def test_closed_forms() -> None:
    z = torch.eye(4, dtype=torch.float64)
    assert negative_cosine(z, 3 * z).item() == pytest.approx(-1)
    assert negative_cosine(z, -z).item() == pytest.approx(1)
    assert negative_cosine(z, z.roll(1, 0)).item() == pytest.approx(0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    p, z = torch.randn(5, 300).to(dtype).mul(100).requires_grad_(), torch.randn(5, 300).to(dtype)
    loss = negative_cosine(p, z)
    loss.backward()
    wide, other = p.detach().double(), z.double()
    expected = -((wide * other).sum(1) / wide.norm(dim=1) / other.norm(dim=1)).mean()
    assert loss.item() == pytest.approx(float(expected), abs=1e-6)
    assert p.grad is not None
    assert torch.isfinite(p.grad).all()


def test_gradient_of_both_arguments() -> None:
    torch.manual_seed(0)
    p, z = (torch.randn(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(negative_cosine, (p, z))


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="same shape"):
        negative_cosine(torch.randn(2, 3), torch.randn(3, 3))
