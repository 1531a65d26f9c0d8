"""NCE against its formula in plain Python, and the effect of its correction."""

from __future__ import annotations

import math

import pytest
import torch

from cl_core.losses import log_partition, nce, nce_chance_level, negative_sampling


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def test_equals_the_formula() -> None:
    torch.manual_seed(0)
    data, noise = torch.randn(5).double(), torch.randn(5, 7).double()
    data_kq, noise_kq = torch.randn(5).double(), torch.randn(5, 7).double()
    left_out = torch.rand(5, 7) < 0.2
    total = 0.0
    for i in range(5):
        total -= math.log(sigmoid(float(data[i] - data_kq[i])))
        for k in range(7):
            if not left_out[i, k]:
                total -= math.log(1 - sigmoid(float(noise[i, k] - noise_kq[i, k])))
    assert nce(data, noise, data_kq, noise_kq, left_out).item() == pytest.approx(total / 5, rel=1e-12)
    plain = nce(data, noise, torch.zeros(5), 0.0).item()
    assert negative_sampling(data, noise).item() == pytest.approx(plain, rel=1e-12)


def test_with_the_correction_scores_become_log_probabilities() -> None:
    """Gutmann and Hyvärinen: the minimum over all scores is at log p, normalized without a constraint."""
    p = torch.tensor([0.5, 0.25, 0.15, 0.1], dtype=torch.float64)
    q = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    k = 5
    log_kq = (k * q).log()
    scores = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([scores], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14)

    def expected_loss() -> torch.Tensor:
        # Each item once, weighted by p as data and by k q as noise.
        optimizer.zero_grad()
        nothing = torch.zeros(4, 0, dtype=torch.float64)
        loss = torch.zeros((), dtype=torch.float64)
        for item in range(4):
            loss = loss + p[item] * nce(scores[item : item + 1], nothing[:1], log_kq[item], 0.0)
            both = nce(scores[item : item + 1], scores[item].view(1, 1), log_kq[item], log_kq[item])
            alone = nce(scores[item : item + 1], nothing[:1], log_kq[item], 0.0)
            loss = loss + k * q[item] * (both - alone)
        loss.backward()
        return loss

    optimizer.step(expected_loss)
    assert torch.allclose(scores.detach().exp(), p, atol=1e-6)


@pytest.mark.parametrize("noise", [1, 10, 1024])
def test_chance_level(noise: int) -> None:
    """The constant logit log(1 / K) is the best constant."""
    blind = torch.full((3,), -math.log(noise), dtype=torch.float64)
    loss = negative_sampling(blind, blind[:, None].expand(3, noise))
    assert loss.item() == pytest.approx(nce_chance_level(noise))
    for shift in (-0.1, 0.1):
        assert negative_sampling(blind + shift, (blind + shift)[:, None].expand(3, noise)).item() > loss.item()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_extreme_scores_stay_finite_with_gradients(dtype: torch.dtype) -> None:
    """log(sigmoid(-100)) in two steps would be log(0)."""
    data = torch.tensor([-100.0], dtype=dtype, requires_grad=True)
    noise = torch.tensor([[100.0, -100.0]], dtype=dtype, requires_grad=True)
    loss = negative_sampling(data, noise)
    loss.backward()
    assert loss.item() == pytest.approx(200.0)
    assert data.grad is not None
    assert data.grad.item() == pytest.approx(-1.0)


def test_gradient() -> None:
    torch.manual_seed(0)
    data = torch.randn(3, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d, n: nce(d, n, -1.0, 0.5), (data, noise))


def test_log_partition_of_all_items_is_exact() -> None:
    torch.manual_seed(0)
    scores = torch.randn(4, 50, dtype=torch.float64)
    exact = scores.exp().sum(1).mean().log()
    assert log_partition(scores, 50).item() == pytest.approx(float(exact), rel=1e-12)
    assert torch.isfinite(log_partition(scores.half() * 100, 50))


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="scores need the shapes"):
        nce(torch.randn(3), torch.randn(2, 4), 0.0, 0.0)
