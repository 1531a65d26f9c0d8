"""NT-Xent against a naive float64 reference, closed forms and half precision."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses import class_counts, false_negatives, nt_xent, nt_xent_chance_level


def naive(z1: Tensor, z2: Tensor, temperature: float) -> float:
    """The formula of the paper, term by term, in float64 Python."""
    z = F.normalize(torch.cat([z1, z2]).double(), dim=1)
    count = len(z)
    total = 0.0
    for i in range(count):
        positive = (i + len(z1)) % count
        scores = {k: float(z[i] @ z[k]) / temperature for k in range(count) if k != i}
        top = max(scores.values())
        total -= scores[positive] - top - math.log(sum(math.exp(s - top) for s in scores.values()))
    return total / count


@pytest.mark.parametrize("temperature", [0.01, 0.05, 0.1, 0.5, 1.0, 10.0])
@pytest.mark.parametrize("shape", [(1, 3), (2, 5), (7, 16), (33, 8)])
def test_equals_the_naive_reference(shape: tuple[int, int], temperature: float) -> None:
    torch.manual_seed(sum(shape))
    z1, z2 = torch.randn(*shape), torch.randn(*shape)
    expected = naive(z1, z2, temperature)
    assert nt_xent(z1.double(), z2.double(), temperature).item() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert nt_xent(z1, z2, temperature).item() == pytest.approx(expected, rel=2e-5, abs=2e-5)


@pytest.mark.parametrize("temperature", [0.01, 0.5, 10.0])
@pytest.mark.parametrize("pairs", [1, 2, 256])
def test_identical_features_give_exactly_the_chance_level(pairs: int, temperature: float) -> None:
    z = torch.ones(pairs, 4, dtype=torch.float64)
    assert nt_xent(z, z, temperature).item() == pytest.approx(math.log(2 * pairs - 1), abs=1e-12)
    assert nt_xent_chance_level(pairs) == math.log(2 * pairs - 1)


def test_orthogonal_pairs_have_a_closed_form() -> None:
    z = torch.eye(5, dtype=torch.float64)
    expected = math.log(1 + 8 * math.exp(-1 / 0.5))  # positive at cosine 1, eight negatives at 0
    assert nt_xent(z, z, 0.5).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("temperature", [0.01, 0.1, 10.0])
def test_half_precision_stays_finite(dtype: torch.dtype, temperature: float) -> None:
    """exp(1 / 0.01) overflows float32 and -1e9 is no float16: neither may be formed."""
    torch.manual_seed(0)
    z1 = torch.randn(8, 16, dtype=dtype, requires_grad=True)
    z2 = (z1.detach() + 0.05 * torch.randn(8, 16, dtype=dtype)).requires_grad_()
    loss = nt_xent(z1, z2, temperature)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert z1.grad is not None
    assert torch.isfinite(z1.grad).all()
    assert loss.item() == pytest.approx(naive(z1.detach(), z2.detach(), temperature), rel=1e-3, abs=1e-3)


def test_autocast_does_not_round_the_logits() -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(16, 32), torch.randn(16, 32)
    with torch.autocast("cpu", torch.bfloat16):
        loss = nt_xent(z1, z2, 0.05)
    assert loss.item() == pytest.approx(naive(z1, z2, 0.05), rel=1e-5)


def test_gradient() -> None:
    torch.manual_seed(0)
    z1 = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    z2 = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, 0.2), (z1, z2))


def test_self_pairs_have_no_gradient() -> None:
    """With one pair there is no negative, so loss and gradient are 0."""
    z1 = torch.randn(1, 4, requires_grad=True)
    z2 = torch.randn(1, 4, requires_grad=True)
    loss = nt_xent(z1, z2, 0.1)
    loss.backward()
    assert loss.item() == 0
    assert z1.grad is not None
    assert z1.grad.abs().max() == 0


def test_scale_of_embeddings_does_not_matter() -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(4, 8), torch.randn(4, 8)
    assert nt_xent(z1 * 1000, z2 * 0.001).item() == pytest.approx(nt_xent(z1, z2).item(), rel=1e-5)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_temperature_must_be_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature must be above 0"):
        nt_xent(torch.randn(2, 2), torch.randn(2, 2), temperature)


@pytest.mark.parametrize("shapes", [((2, 3), (3, 3)), ((0, 3), (0, 3)), ((3,), (3,))])
def test_shapes_must_agree(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="same shape"):
        nt_xent(torch.randn(shapes[0]), torch.randn(shapes[1]))


def test_by_keyword() -> None:
    torch.manual_seed(0)
    z = torch.randn(2, 4, 3)
    assert nt_xent(z1=z[0], z2=z[1], temperature=0.3).item() == nt_xent(z[0], z[1], 0.3).item()


def test_counts_of_a_class_are_those_of_the_matrix_of_false_negatives() -> None:
    labels = torch.tensor([0, 2, 2, 0, 5, 2])
    others = false_negatives(labels).sum(1)
    assert (2 * (class_counts(labels) - 1)).repeat(2).tolist() == others.tolist()
