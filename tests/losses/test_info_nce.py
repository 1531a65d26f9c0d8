"""Every form of InfoNCE against its formula in plain Python, and the differences between the forms."""

from __future__ import annotations

import importlib
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses import (
    decoupled_nt_xent,
    decoupled_nt_xent_chance_level,
    decoupled_weights,
    info_nce,
    info_nce_chance_level,
    info_nce_views,
    nce_chance_level,
    nt_xent,
    nt_xent_chance_level,
)

TEMPERATURES = [0.01, 0.05, 0.1, 0.5, 1.0, 10.0]


def log_sum_exp(values: list[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values))


def unit(z: Tensor) -> Tensor:
    return F.normalize(z.double(), dim=1)


def naive_bank(query: Tensor, positive: Tensor, negatives: Tensor, t: float, left_out: Tensor | None = None) -> float:
    q, p, n = unit(query), unit(positive), unit(negatives)
    total = 0.0
    for i in range(len(q)):
        own = float(q[i] @ p[i]) / t
        others = [float(q[i] @ n[k]) / t for k in range(len(n)) if left_out is None or not left_out[i, k]]
        total += log_sum_exp([own, *others]) - own
    return total / len(q)


def naive_views(z: Tensor, t: float, ratio: bool = False) -> float:
    images = z.shape[1]
    rows = unit(z.flatten(0, 1))
    terms = []
    for a in range(len(rows)):
        negatives = [float(rows[a] @ rows[b]) / t for b in range(len(rows)) if b % images != a % images]
        for p in range(len(rows)):
            if p != a and p % images == a % images:
                own = float(rows[a] @ rows[p]) / t
                terms.append(log_sum_exp(negatives if ratio else [own, *negatives]) - own)
    return sum(terms) / len(terms)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_bank_form(temperature: float) -> None:
    torch.manual_seed(0)
    q, p, n = torch.randn(7, 5), torch.randn(7, 5), torch.randn(12, 5)
    left_out = torch.rand(7, 12) < 0.3
    for mask in (None, left_out):
        expected = naive_bank(q, p, n, temperature, mask)
        assert info_nce(q.double(), p.double(), n.double(), temperature, mask).item() == pytest.approx(expected, rel=1e-12)
        assert info_nce(q, p, n, temperature, mask).item() == pytest.approx(expected, rel=2e-5, abs=2e-5)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("shape", [(2, 4, 6), (3, 5, 8), (4, 1, 3)])
def test_n_views(shape: tuple[int, int, int], temperature: float) -> None:
    torch.manual_seed(sum(shape))
    z = torch.randn(*shape)
    if shape[1] == 1:
        assert info_nce_views(z, temperature).item() == 0
        return
    expected = naive_views(z, temperature)
    assert info_nce_views(z.double(), temperature).item() == pytest.approx(expected, rel=1e-12)
    assert info_nce_views(z, temperature).item() == pytest.approx(expected, rel=2e-5, abs=2e-5)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_ratio_form(temperature: float) -> None:
    torch.manual_seed(1)
    z = torch.randn(2, 6, 7)
    expected = naive_views(z, temperature, ratio=True)
    assert decoupled_nt_xent(*z.double(), temperature).item() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert decoupled_nt_xent(*z, temperature).item() == pytest.approx(expected, rel=2e-5, abs=5e-5)


def test_two_views_are_nt_xent() -> None:
    torch.manual_seed(0)
    z = torch.randn(2, 9, 8, dtype=torch.float64)
    assert info_nce_views(z, 0.2).item() == pytest.approx(nt_xent(*z, 0.2).item(), rel=1e-12)


def test_only_the_ratio_form_is_negative() -> None:
    """log(b / a) is unbounded below, log(1 + b / a) is not."""
    z = torch.eye(8, dtype=torch.float64)
    assert decoupled_nt_xent(z, z, 0.05).item() == pytest.approx(math.log(14) - 1 / 0.05)
    assert nt_xent(z, z, 0.05).item() >= 0


def test_chance_levels() -> None:
    same = torch.ones(4, 3, dtype=torch.float64)
    assert info_nce(same, same, torch.ones(9, 3, dtype=torch.float64), 0.1).item() == pytest.approx(info_nce_chance_level(9))
    assert decoupled_nt_xent(same, same, 0.1).item() == pytest.approx(decoupled_nt_xent_chance_level(4))
    assert info_nce_views(torch.ones(2, 4, 3, dtype=torch.float64), 0.1).item() == pytest.approx(math.log(7))


def test_without_negatives_the_loss_is_zero() -> None:
    q = torch.randn(3, 4, requires_grad=True)
    loss = info_nce(q, torch.randn(3, 4), torch.empty(0, 4))
    loss.backward()
    assert loss.item() == 0
    assert q.grad is not None
    assert q.grad.abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("temperature", [0.01, 0.1, 10.0])
def test_half_precision_stays_finite(dtype: torch.dtype, temperature: float) -> None:
    torch.manual_seed(0)
    z = torch.randn(2, 6, 8).to(dtype).requires_grad_()
    keys = torch.randn(20, 8).to(dtype)
    for loss in (info_nce(z[0], z[1], keys, temperature), info_nce_views(z, temperature), decoupled_nt_xent(*z, temperature)):
        z.grad = None
        loss.backward()
        assert loss.dtype == torch.float32
        assert torch.isfinite(loss)
        assert z.grad is not None
        assert torch.isfinite(z.grad).all()


def test_gradients() -> None:
    torch.manual_seed(0)
    z = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    keys = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    left_out = torch.tensor([[True, False, False, False, False]] * 3)
    assert torch.autograd.gradcheck(lambda z, k: info_nce(z[0], z[1], k, 0.3, left_out), (z, keys))
    assert torch.autograd.gradcheck(lambda z: decoupled_nt_xent(z[0], z[1], 0.3), (z,))
    many = torch.randn(3, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: info_nce_views(z, 0.3), (many,))


@pytest.mark.parametrize("temperature", [0.0, -0.5, math.nan])
def test_temperature_must_be_positive(temperature: float) -> None:
    z = torch.randn(2, 3, 4)
    for call in (lambda: info_nce(z[0], z[1], z[0], temperature), lambda: info_nce_views(z, temperature)):
        with pytest.raises(ValueError, match="temperature must be above 0"):
            call()
    with pytest.raises(ValueError, match="temperature must be above 0"):
        decoupled_nt_xent(z[0], z[1], temperature)


def test_shapes_must_agree() -> None:
    z = torch.randn(2, 3, 4)
    with pytest.raises(ValueError, match="same shape"):
        info_nce(z[0], z[1, :2], z[0])
    with pytest.raises(ValueError, match="V >= 2"):
        info_nce_views(z[:1])
    with pytest.raises(ValueError, match="at least 2 images"):
        decoupled_nt_xent(z[0, :1], z[1, :1])


def test_chance_levels_at_their_edges() -> None:
    assert info_nce_chance_level(0) == 0
    assert decoupled_nt_xent_chance_level(2) == pytest.approx(math.log(2))
    for level, least in (
        (info_nce_chance_level, 0),
        (decoupled_nt_xent_chance_level, 2),
        (nt_xent_chance_level, 1),
        (nce_chance_level, 1),
    ):
        assert math.isfinite(level(least))
        with pytest.raises(ValueError, match=f"must be at least {least}, not {least - 1}"):
            level(least - 1)


@pytest.mark.parametrize("temperature", [0.07, 0.1, 0.5])
def test_the_decoupled_losses_of_lightly(temperature: float) -> None:
    from lightly.loss import DCLLoss, DCLWLoss

    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 12, 8)
    assert decoupled_nt_xent(z1, z2, temperature).item() == pytest.approx(DCLLoss(temperature)(z1, z2).item(), rel=1e-5)
    # lightly forgets to scale by the temperature where it scales by the weights; the paper's eq. 6 has both.
    weights = decoupled_weights(F.cosine_similarity(z1, z2), 0.5)
    assert weights.mean().item() == pytest.approx(1.0) and weights.max() < 2
    weighted = DCLLoss(temperature, lambda *_: weights)(z1, z2)
    assert decoupled_nt_xent(z1, z2, temperature, 0.5).item() == pytest.approx(weighted.item(), rel=1e-5)
    assert isinstance(DCLWLoss(temperature), DCLLoss)


def test_the_decoupled_loss_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("cl_core.losses.info_nce")  # the function of this name hides it
    torch.manual_seed(0)
    z = torch.randn(2, 40, 8, dtype=torch.double)
    found = []
    for blocks in (False, True):
        monkeypatch.setattr(module, "blockwise_pays", lambda _, blocks=blocks: blocks)
        z1, z2 = z[0].clone().requires_grad_(), z[1].clone().requires_grad_()
        loss = decoupled_nt_xent(z1, z2, 0.1, 0.5)
        found.append([loss.detach(), *torch.autograd.grad(loss, (z1, z2))])
    for whole, blockwise in zip(*found, strict=True):
        torch.testing.assert_close(blockwise, whole, rtol=1e-10, atol=1e-12)


def test_sigma_of_the_decoupled_loss_is_checked() -> None:
    with pytest.raises(ValueError, match="sigma must be above 0, not 0"):
        decoupled_nt_xent(torch.randn(4, 8), torch.randn(4, 8), 0.1, sigma=0.0)
