"""Defects reported for other libraries, one test each, with the issue.

Defects of training and data (queue and Z across a resume, stale schedules, leaking statistics, views that differ from the
settings, probes that train the encoder, accuracy without a protocol) are tested in their own folders.
"""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses import info_nce, left_out_anchors, nt_xent, sup_con


def test_an_anchor_without_a_positive_is_neither_nan_nor_zero() -> None:
    """SupContrast #20, #86, #141: the mean is over the other anchors only."""
    torch.manual_seed(0)
    z = torch.randn(5, 4, dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 1, 2])
    unit = F.normalize(z, dim=1)
    logits = (unit @ unit.T / 0.1).fill_diagonal_(-torch.inf)
    rows = [-sum(logits[i].log_softmax(0)[j] for j in range(3) if j != i) / 2 for i in range(3)]
    assert left_out_anchors(labels) == 2
    assert sup_con(z, labels, 0.1).item() == pytest.approx(float(sum(rows)) / 3)


@pytest.mark.parametrize("temperature", [0.05, 0.07, 0.5, 2.0])
def test_no_hidden_factor_of_the_temperature(temperature: float) -> None:
    """SupContrast #1, #73, #106: identical features give exactly log(2N - 1), whatever the temperature."""
    z = torch.ones(8, 4, dtype=torch.float64)
    expected = math.log(15)
    assert nt_xent(z, z, temperature).item() == pytest.approx(expected, abs=1e-12)
    assert sup_con(z.repeat(2, 1), torch.arange(8).repeat(2), temperature).item() == pytest.approx(expected, abs=1e-12)


def test_the_self_pair_leaks_no_gradient() -> None:
    """lightning-bolts #695: with exp(1 / t) subtracted, rounding leaves a gradient where there is none."""
    z = torch.randn(2, 1, 6, dtype=torch.float32, requires_grad=True)
    nt_xent(z[0], z[1], 0.05).backward()
    assert z.grad is not None
    assert z.grad.abs().max() == 0


@pytest.mark.parametrize("temperature", [0.001, 0.005, 0.01])
def test_no_exponential_overflows(temperature: float) -> None:
    """lightning-bolts #811: exp(1 / t) is infinite in float32 below t = .0113."""
    torch.manual_seed(0)
    z1 = torch.randn(8, 6)
    z2 = (z1 + 0.01 * torch.randn(8, 6)).requires_grad_()
    for loss in (nt_xent(z1, z2, temperature), sup_con(torch.cat([z1, z2]), torch.arange(8).repeat(2) // 2, temperature)):
        z2.grad = None
        loss.backward()
        assert torch.isfinite(loss)
        assert z2.grad is not None
        assert torch.isfinite(z2.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_masks_hold_in_half_precision(dtype: torch.dtype) -> None:
    """pytorch-metric-learning #233, lightly #1259, apex #1052: -1e9 is no float16; a masked pair has probability 0."""
    torch.manual_seed(0)
    z = torch.randn(6, 8).to(dtype)
    keys, left_out = torch.randn(4, 8).to(dtype), torch.ones(6, 4, dtype=torch.bool)
    assert info_nce(z, z, keys, 0.07, left_out).item() == 0
    assert torch.isfinite(sup_con(z, torch.tensor([0, 0, 1, 1, 2, 3]), 0.07))


@pytest.mark.parametrize("pairs", [1, 3, 7, 32])
def test_positives_of_a_small_last_batch(pairs: int) -> None:
    """mmselfsup #159, sthalles/SimCLR #40, solo-learn #206: positives depend on the actual batch size."""
    torch.manual_seed(pairs)
    z = F.normalize(torch.randn(pairs, 16, dtype=torch.float64), dim=1)
    near = nt_xent(z, z + 1e-3 * torch.randn_like(z), 0.05)
    far = nt_xent(z, z.roll(1, 0), 0.05)
    assert pairs == 1 or near < 0.5 * far


def test_memory_is_views_by_views() -> None:
    """pytorch-metric-learning #203, #547: 120 GB at 1,200 embeddings, for positive pairs x negative pairs."""
    saved = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal saved
        saved += tensor.numel()
        return tensor

    views = 1200
    z = torch.randn(views // 2, 32, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda t: t):
        nt_xent(z, z, 0.1)
        sup_con(torch.cat([z, z]), torch.arange(views // 2).repeat(2) // 4, 0.1)
    assert saved < 10 * views**2


def test_gradient_when_the_two_views_differ() -> None:
    """lightly #1528, #1177: with equal views a test does not detect labels shifted by one."""
    torch.manual_seed(0)
    z1 = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    z2 = (3 * torch.randn(5, 4, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, 0.2), (z1, z2))
    nt_xent(z1, z2, 0.2).backward()
    assert z1.grad is not None
    assert z2.grad is not None
    swapped = [z.detach().clone().requires_grad_() for z in (z2, z1)]
    nt_xent(swapped[0], swapped[1], 0.2).backward()
    assert swapped[1].grad is not None
    assert torch.allclose(z1.grad, swapped[1].grad)
