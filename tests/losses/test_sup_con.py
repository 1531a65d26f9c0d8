"""SupCon against its formula in plain Python, a worked example, and anchors without a positive."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses import SupConForm, left_out_anchors, nt_xent, sup_con

FORMS: list[SupConForm] = ["out", "in", "in-sum"]
LABELS = torch.tensor([0, 1, 0, 2, 1, 0, 3])


def naive(z: Tensor, labels: Tensor, t: float, form: str) -> float:
    z = F.normalize(z.double(), dim=1)
    terms = []
    for i in range(len(z)):
        scores = {a: float(z[i] @ z[a]) / t for a in range(len(z)) if a != i}
        positives = [p for p in scores if labels[p] == labels[i]]
        if not positives:
            continue
        top = max(scores.values())
        log_sum = top + math.log(sum(math.exp(s - top) for s in scores.values()))
        logs = [scores[p] - log_sum for p in positives]
        if form == "out":
            terms.append(-sum(logs) / len(logs))
        else:
            best = max(logs)
            inside = best + math.log(sum(math.exp(v - best) for v in logs))
            terms.append(-inside + (math.log(len(logs)) if form == "in" else 0))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("temperature", [0.01, 0.05, 0.1, 0.5, 1.0, 10.0])
def test_equals_the_naive_reference(form: SupConForm, temperature: float) -> None:
    torch.manual_seed(0)
    z = torch.randn(7, 5)
    expected = naive(z, LABELS, temperature, form)
    assert sup_con(z.double(), LABELS, temperature, form).item() == pytest.approx(expected, rel=1e-11, abs=1e-12)
    assert sup_con(z, LABELS, temperature, form).item() == pytest.approx(expected, rel=3e-5, abs=3e-5)


@pytest.mark.parametrize(("form", "expected"), [("out", 2.4826), ("in", 1.4402), ("in-sum", 0.7470)])
def test_worked_example(form: SupConForm, expected: float) -> None:
    torch.manual_seed(102)
    z = torch.randn(4, 8)
    assert sup_con(z, torch.tensor([1, 2, 1, 1]), 1.0, form, normalize=False).item() == pytest.approx(expected, abs=5e-5)


def test_one_positive_each_is_nt_xent() -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(6, 8).double(), torch.randn(6, 8).double()
    labels = torch.arange(6).repeat(2)
    for form in FORMS:
        assert sup_con(torch.cat([z1, z2]), labels, 0.2, form).item() == pytest.approx(nt_xent(z1, z2, 0.2).item(), rel=1e-12)


def test_in_is_never_above_out() -> None:
    """Jensen: the log of a mean is at least the mean of the logs (the paper's eq. 4)."""
    torch.manual_seed(0)
    for _ in range(5):
        z = torch.randn(7, 5).double()
        assert sup_con(z, LABELS, 0.1, "in").item() <= sup_con(z, LABELS, 0.1, "out").item()


def test_anchors_without_a_positive_are_left_out_and_counted() -> None:
    """Labels 2 and 3 occur once: neither NaN nor zeros in the mean."""
    torch.manual_seed(0)
    z = torch.randn(7, 5, requires_grad=True)
    loss = sup_con(z, LABELS, 0.1)
    loss.backward()
    assert left_out_anchors(LABELS) == 2
    assert torch.isfinite(loss)
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()
    assert z.grad[3].abs().max() > 0  # still a negative of the others


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("temperature", [0.01, 10.0])
def test_half_precision_stays_finite(form: SupConForm, dtype: torch.dtype, temperature: float) -> None:
    torch.manual_seed(0)
    z = torch.randn(7, 5).to(dtype).requires_grad_()
    loss = sup_con(z, LABELS, temperature, form)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(naive(z.detach(), LABELS, temperature, form), rel=1e-3, abs=1e-3)
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


@pytest.mark.parametrize("form", FORMS)
def test_gradient(form: SupConForm) -> None:
    torch.manual_seed(0)
    z = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: sup_con(z, LABELS, 0.3, form), (z,))


def test_invalid_input() -> None:
    with pytest.raises(ValueError, match="temperature must be above 0"):
        sup_con(torch.randn(4, 2), torch.zeros(4), 0.0)
    with pytest.raises(ValueError, match="shape"):
        sup_con(torch.randn(4, 2), torch.zeros(3), 0.1)
