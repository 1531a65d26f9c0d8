"""Blockwise losses: the same values and gradients as with the matrix of pairs, and little memory."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import get_args

import pytest
import torch
from torch import Tensor

from cl_core.losses import SupConForm, blockwise, nt_xent, sup_con
from cl_core.losses.blockwise import BLOCKWISE_FROM, pair_logsumexp

PAIRS = 125
FORMS: tuple[SupConForm, ...] = get_args(SupConForm)
torch.manual_seed(0)
IMAGE_LABELS = torch.randint(0, 7, (PAIRS,))
VIEW_LABELS = torch.randint(0, 90, (2 * PAIRS,))  # some of them have no positive
LOSSES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "nt-xent": lambda z, t: nt_xent(z[:PAIRS], z[PAIRS:], t),
    "nt-xent without false negatives": lambda z, t: nt_xent(z[:PAIRS], z[PAIRS:], t, IMAGE_LABELS),
    "supcon out": lambda z, t: sup_con(z, VIEW_LABELS, t, "out"),
    "supcon in": lambda z, t: sup_con(z, VIEW_LABELS, t, "in"),
    "supcon in-sum": lambda z, t: sup_con(z, VIEW_LABELS, t, "in-sum"),
}


def both_ways(loss: Callable[[Tensor, float], Tensor], z: Tensor, t: float, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Value and gradient with the matrix, then blockwise; 37 x 37 does not divide the matrix."""
    monkeypatch.setitem(blockwise.BLOCK_BYTES, "cpu", z.dtype.itemsize * 37**2)
    found = []
    for threshold in (10**9, 1):
        monkeypatch.setattr(blockwise, "BLOCKWISE_FROM", threshold)
        leaf = z.clone().requires_grad_()
        value = loss(leaf, t)
        value.backward()
        assert leaf.grad is not None
        found += [value.detach(), leaf.grad]
    return found


@pytest.mark.parametrize("temperature", [0.01, 0.03, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("name", LOSSES)
def test_blockwise_equals_the_matrix(name: str, temperature: float, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    z = torch.randn(2 * PAIRS, 16)
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        value, gradient, block_value, block_gradient = both_ways(LOSSES[name], z.to(dtype), temperature, monkeypatch)
        assert value.dtype == block_value.dtype == dtype
        assert block_value.item() == pytest.approx(value.item(), rel=tolerance, abs=tolerance)
        assert float((block_gradient - gradient).abs().max()) <= tolerance * float(gradient.abs().max())


@pytest.mark.parametrize("temperature", [0.01, 0.5])
def test_gradient_with_different_weights_of_rows(temperature: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(blockwise.BLOCK_BYTES, "cpu", 8 * 3**2)
    torch.manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(7, 4, dtype=torch.float64), dim=1).requires_grad_()
    weight = torch.rand(7, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a: pair_logsumexp(a, temperature) * weight, (z,))


def test_a_row_without_pairs_is_minus_infinity_without_gradient() -> None:
    z = torch.nn.functional.normalize(torch.randn(4, 3), dim=1).requires_grad_()
    group = torch.tensor([0, 0, 1, 2])
    values = pair_logsumexp(z, 0.1, lambda rows, columns: group[rows, None] != group[None, columns])
    assert values.isinf().tolist() == [False, False, True, True]
    values[:2].sum().backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_identical_features_give_the_chance_level_in_large_batches() -> None:
    z = torch.ones(BLOCKWISE_FROM, 4, dtype=torch.float64)
    assert nt_xent(z, z, 0.1).item() == pytest.approx(math.log(2 * BLOCKWISE_FROM - 1), abs=1e-12)


@pytest.mark.parametrize(("views", "called"), [(BLOCKWISE_FROM - 2, False), (BLOCKWISE_FROM, True)])
def test_large_batches_are_blockwise(views: int, called: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(z: Tensor, *rest: object, **named: object) -> Tensor:
        calls.append(len(z))
        return pair_logsumexp(z, *rest, **named)  # type: ignore[arg-type]

    for module in ("cl_core.losses.nt_xent", "cl_core.losses.sup_con"):
        monkeypatch.setattr(sys.modules[module], "pair_logsumexp", counted)
    z = torch.randn(views, 4)
    nt_xent(z[: views // 2], z[views // 2 :])
    sup_con(z, torch.arange(views) % 5)
    assert calls == ([views, views] if called else [])


@pytest.mark.parametrize("form", FORMS)
def test_supcon_of_dot_products_is_blockwise_too(form: SupConForm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dot products are unbounded, so a sum over a block could overflow."""
    torch.manual_seed(0)
    z, labels = 30 * torch.randn(2 * PAIRS, 4, dtype=torch.float64), torch.arange(2 * PAIRS) % 5

    def loss(z: Tensor, t: float) -> Tensor:
        return sup_con(z, labels, t, form, normalize=False)

    value, gradient, block_value, block_gradient = both_ways(loss, z, 0.1, monkeypatch)
    assert value.isfinite()
    assert block_value.item() == pytest.approx(value.item(), rel=1e-12)
    assert torch.allclose(gradient, block_gradient, rtol=1e-9, atol=1e-9)
    large = sup_con((1000 * z).float(), labels, 0.1, form, normalize=False)
    assert large.isfinite()


SCRIPT = """
import torch
from benchmarks.losses import peak_memory
from cl_core.losses import nt_xent
torch.set_num_threads(1)
z1, z2 = (torch.randn({pairs}, 32, requires_grad=True) for _ in range(2))
warm = torch.randn(1024, 32, requires_grad=True)
nt_xent(warm, warm, 0.1).backward()
before = peak_memory()
nt_xent(z1, z2, {temperature}).backward()
print(peak_memory() - before)
"""


@pytest.mark.parametrize("temperature", ["0.1", "torch.tensor(0.1, requires_grad=True)"])
def test_memory_does_not_grow_with_the_square_of_the_batch(temperature: str) -> None:
    """6,144 pairs: their matrix has 151 million entries, 604 MB in float32 and several times that with autograd."""
    script = SCRIPT.format(pairs=6144, temperature=temperature)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 0 < int(run.stdout) < 60e6


def difference(loss: Callable[[float], Tensor], t: float, step: float = 1e-5) -> float:
    return (float(loss(t + step)) - float(loss(t - step))) / (2 * step)


@pytest.mark.parametrize("views", [BLOCKWISE_FROM - 2, BLOCKWISE_FROM])
@pytest.mark.parametrize("t", [0.02, 0.5])
def test_a_temperature_that_is_learned_gets_its_gradient(views: int, t: float) -> None:
    """Against finite differences, with the matrix and blockwise."""
    torch.manual_seed(0)
    z = torch.randn(views, 8, dtype=torch.float64)
    half, labels = views // 2, torch.arange(views) % 7
    losses: list[Callable[[float | Tensor], Tensor]] = [lambda t: nt_xent(z[:half], z[half:], t)]
    losses += [lambda t: nt_xent(z[:half], z[half:], t, labels[:half])]
    losses += [partial(sup_con, z, labels, form=form) for form in FORMS]
    losses += [partial(sup_con, 0.3 * z, labels, normalize=False)]
    for loss in losses:
        temperature = torch.tensor(t, dtype=torch.float64, requires_grad=True)
        value = loss(temperature)
        assert float(value) == pytest.approx(float(loss(t)), rel=1e-12)
        value.backward()
        assert temperature.grad is not None
        assert float(temperature.grad) == pytest.approx(difference(loss, t), rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_second_derivatives_are_those_of_the_matrix(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    z, direction = torch.randn(2 * PAIRS, 6, dtype=torch.float64), torch.randn(2 * PAIRS, 6, dtype=torch.float64)
    products = []
    for threshold in (10**9, 1):
        monkeypatch.setattr(blockwise, "BLOCKWISE_FROM", threshold)
        leaf = z.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(LOSSES[name](leaf, 0.2), leaf, create_graph=True)
        (product,) = torch.autograd.grad((gradient * direction).sum(), leaf)
        products.append(product)
    assert torch.allclose(*products, rtol=1e-9, atol=1e-12)


def test_gradients_of_functional_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    z = torch.randn(2 * PAIRS, 6, dtype=torch.float64)
    expected, found = both_ways(LOSSES["nt-xent"], z, 0.2, monkeypatch)[1::2]
    monkeypatch.setattr(blockwise, "BLOCKWISE_FROM", 1)
    functional = torch.func.grad(lambda z: LOSSES["nt-xent"](z, 0.2))(z)
    assert torch.allclose(functional, expected, rtol=1e-9, atol=1e-12)
    assert torch.allclose(functional, found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("views", [8, BLOCKWISE_FROM])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_rows_of_zeros_have_a_finite_gradient(views: int, dtype: torch.dtype) -> None:
    z = torch.randn(views, 8).to(dtype)
    z[::3] = 0
    labels = torch.arange(views) % 4
    for name in ("nt-xent", "supcon"):
        leaf = z.clone().requires_grad_()
        half = views // 2
        value = nt_xent(leaf[:half], leaf[half:], 0.1) if name == "nt-xent" else sup_con(leaf, labels, 0.1)
        value.backward()
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all(), name


@pytest.mark.parametrize("views", [6, BLOCKWISE_FROM])
def test_supcon_without_a_positive_is_nan_everywhere(views: int) -> None:
    for form in FORMS:
        assert sup_con(torch.randn(views, 4), torch.arange(views), 0.1, form).isnan()
