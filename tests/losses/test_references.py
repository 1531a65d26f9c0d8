"""Losses against lightly and pytorch-metric-learning."""

from __future__ import annotations

import pytest
import torch
from lightly.loss import DCLLoss, NegativeCosineSimilarity, NTXentLoss
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import NTXentLoss as PairNTXentLoss
from pytorch_metric_learning.losses import SupConLoss

from cl_core.losses import decoupled_nt_xent, info_nce, negative_cosine, nt_xent, sup_con


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(16, 24).double(), torch.randn(16, 24).double()


@pytest.mark.parametrize("temperature", [0.05, 0.1, 0.5, 1.0])
def test_nt_xent(pair: tuple[torch.Tensor, torch.Tensor], temperature: float) -> None:
    ours = nt_xent(*pair, temperature).item()
    assert ours == pytest.approx(NTXentLoss(temperature)(*pair).item(), rel=1e-6)
    labels = torch.arange(16).repeat(2)
    assert ours == pytest.approx(PairNTXentLoss(temperature)(torch.cat(pair), labels).item(), rel=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_gradient_of_nt_xent(pair: tuple[torch.Tensor, torch.Tensor], temperature: float) -> None:
    grads = []
    for loss in (nt_xent, lambda a, b, t: NTXentLoss(t)(a, b)):
        z1, z2 = (z.clone().requires_grad_() for z in pair)
        loss(z1, z2, temperature).backward()
        assert z1.grad is not None
        grads.append(z1.grad)
    assert torch.allclose(grads[0], grads[1], atol=1e-9)


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_sup_con_out(temperature: float) -> None:
    torch.manual_seed(0)
    z, labels = torch.randn(20, 8).double(), torch.randint(4, (20,))
    reference = SupConLoss(temperature, distance=CosineSimilarity())
    assert sup_con(z, labels, temperature).item() == pytest.approx(reference(z, labels).item(), rel=1e-6)


def test_ratio_form_is_the_decoupled_loss(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    # lightly's reads the positive with the temperature of the paper's eq. 5; both directions averaged are ours.
    assert decoupled_nt_xent(*pair, 0.2).item() == pytest.approx(DCLLoss(0.2)(*pair).item(), rel=1e-6)


def test_queue_form(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    """lightly's NT-Xent with a memory bank compares with the bank's entries only."""
    reference = NTXentLoss(0.2, memory_bank_size=(32, 24))
    reference.memory_bank.bank = torch.nn.functional.normalize(torch.randn(32, 24), dim=1)
    reference.memory_bank.bank_ptr = torch.zeros(1, dtype=torch.long)
    queue = reference.memory_bank.bank.clone()
    query, key = (z.float() for z in pair)
    ours = info_nce(query, key, queue, 0.2).item()
    assert ours == pytest.approx(reference(query.requires_grad_(), key).item(), rel=1e-5)


def test_negative_cosine(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    assert negative_cosine(*pair).item() == pytest.approx(NegativeCosineSimilarity()(*pair).item(), rel=1e-9)
