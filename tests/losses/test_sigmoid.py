"""The sigmoid loss against the paper's pseudocode, its gradients block by block, and its memory."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses import sigmoid as module
from cl_core.losses import sigmoid_chance_level, sigmoid_loss


def pseudocode(z1: Tensor, z2: Tensor, t: float | Tensor, bias: float | Tensor) -> Tensor:
    """Zhai et al. 2023, algorithm 1."""
    images, texts = F.normalize(z1, dim=1), F.normalize(z2, dim=1)
    logits = images @ texts.T / t + bias
    labels = 2 * torch.eye(len(z1), dtype=logits.dtype) - 1
    return -F.logsigmoid(labels * logits).sum() / len(z1)


@pytest.mark.parametrize("side", [1, 3, 1000])
def test_the_pseudocode_in_blocks_of_any_size(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "block_side", lambda _: side)
    torch.manual_seed(0)
    z = torch.randn(2, 10, 5, dtype=torch.double)
    for t, bias in ((0.1, -10.0), (1.0, 0.0), (0.02, 3.0)):
        found = []
        for function in (sigmoid_loss, pseudocode):
            z1, z2 = z[0].clone().requires_grad_(), z[1].clone().requires_grad_()
            learned = torch.tensor(t, dtype=torch.double, requires_grad=True)
            constant = torch.tensor(bias, dtype=torch.double, requires_grad=True)
            loss = function(z1, z2, learned, constant)
            found.append([loss.detach(), *torch.autograd.grad(loss, (z1, z2, learned, constant))])
        for mine, expected in zip(*found, strict=True):
            torch.testing.assert_close(mine, expected, rtol=1e-10, atol=1e-12)
    assert sigmoid_loss(z[0].float(), z[1].float(), 0.1).item() == pytest.approx(
        pseudocode(z[0], z[1], 0.1, -10.0).item(), rel=1e-5
    )


def test_second_derivatives() -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 4, 3, dtype=torch.double, requires_grad=True)
    t, bias = (torch.tensor(value, dtype=torch.double, requires_grad=True) for value in (0.5, -1.0))
    assert torch.autograd.gradcheck(sigmoid_loss, (z1, z2, t, bias))
    assert torch.autograd.gradgradcheck(sigmoid_loss, (z1, z2, t, bias))
    assert torch.autograd.gradgradcheck(lambda a, b: sigmoid_loss(a, b, 0.5), (z1, z2)), "numbers have no gradient"


def test_extreme_logits_stay_finite() -> None:
    z = torch.eye(3).requires_grad_()
    loss = sigmoid_loss(z, z.detach(), 1e-4, 0.0)
    (gradient,) = torch.autograd.grad(loss, z)
    assert torch.isfinite(loss) and torch.isfinite(gradient).all()


@pytest.mark.parametrize("pairs", [2, 7, 100])
def test_the_chance_level_is_the_least_loss_of_equal_similarities(pairs: int) -> None:
    z = torch.ones(pairs, 4, dtype=torch.double)
    chance = sigmoid_chance_level(pairs)
    best = -math.log(pairs - 1) - 1.0  # the logit of 1 / N, less the cosine 1 at temperature 1
    assert sigmoid_loss(z, z, 1.0, best).item() == pytest.approx(chance, rel=1e-12)
    for other in (best - 0.1, best + 0.1):
        assert sigmoid_loss(z, z, 1.0, other).item() > chance


def test_one_image_has_no_negatives() -> None:
    assert sigmoid_chance_level(1) == 0.0
    with pytest.raises(ValueError, match="same shape"):
        sigmoid_loss(torch.ones(0, 2), torch.ones(0, 2))
