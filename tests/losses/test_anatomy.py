"""The anatomies equal the losses, their gradients autograd's, and every matrix a worked example."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses import (
    SupConForm,
    VICRegWeights,
    anatomy,
    barlow_twins,
    decoupled_nt_xent,
    hard_negative_nt_xent,
    info_nce,
    info_nce_views,
    nce,
    negative_cosine,
    nt_xent,
    sigmoid_loss,
    sup_con,
    vicreg_terms,
)
from cl_core.losses.anatomy import Anatomy

TEMPERATURES = [0.01, 0.05, 0.1, 0.5, 1.0, 10.0]
LABELS = torch.tensor([0, 1, 0, 2, 1, 0])
LEFT_OUT = torch.tensor([[True, *[False] * 8]] * 6)


def embeddings(*shape: int) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(*shape, dtype=torch.float64)


def nce_loss(z: Tensor, keys: Tensor, t: float) -> Tensor:
    q = F.normalize(z[0], dim=1)
    data = (q * F.normalize(z[1], dim=1)).sum(1) / t - 2.0
    return nce(data, q @ F.normalize(keys, dim=1).T / t - 2.0, math.log(0.5), math.log(0.5), LEFT_OUT)


def pairs_of(t: float) -> dict[str, tuple[Anatomy, Tensor]]:
    """Each anatomy and its loss, on the same embeddings."""
    z, keys, many = embeddings(2, 6, 8), embeddings(9, 8), embeddings(3, 4, 8)
    flat = z.flatten(0, 1)
    labels = LABELS.repeat(2)
    forms: dict[str, tuple[Anatomy, Tensor]] = {
        f"sup_con {form}": (anatomy.sup_con_anatomy(flat, labels, t, form), sup_con(flat, labels, t, form))
        for form in ("out", "in", "in-sum")
    }
    return forms | {
        "nt_xent": (anatomy.nt_xent_anatomy(*z, t), nt_xent(*z, t)),
        "nt_xent without false negatives": (anatomy.nt_xent_anatomy(*z, t, LABELS), nt_xent(*z, t, LABELS)),
        "info_nce": (anatomy.info_nce_anatomy(*z, keys, t, LEFT_OUT), info_nce(*z, keys, t, LEFT_OUT)),
        "info_nce_views": (anatomy.info_nce_views_anatomy(many, t), info_nce_views(many, t)),
        "decoupled_nt_xent": (anatomy.decoupled_nt_xent_anatomy(*z, t), decoupled_nt_xent(*z, t)),
        "weighted": (anatomy.decoupled_nt_xent_anatomy(*z, t, 0.5), decoupled_nt_xent(*z, t, 0.5)),
        "hard": (anatomy.hard_negative_anatomy(*z, t, 1.0, 0.1), hard_negative_nt_xent(*z, t, 1.0, 0.1)),
        "sigmoid": (anatomy.sigmoid_anatomy(*z, t, -3.0), sigmoid_loss(*z, t, -3.0)),
        "nce": (anatomy.nce_anatomy(*z, keys, t, 2.0, math.log(0.5), LEFT_OUT), nce_loss(z, keys, t)),
        "negative_cosine": (
            anatomy.negative_cosine_anatomy(*z, *z.flip(2)),
            (negative_cosine(z[0], z[1].flip(1)) + negative_cosine(z[1], z[0].flip(1))) / 2,
        ),
        "cross_entropy": (
            anatomy.cross_entropy_anatomy(flat, labels),
            F.cross_entropy(flat, labels),
        ),
    }


NAMES = list(pairs_of(1.0))


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_the_loss(name: str, temperature: float) -> None:
    parts, loss = pairs_of(temperature)[name]
    assert parts.loss == pytest.approx(loss.item(), rel=1e-9, abs=1e-9)
    assert float(parts.contribution.sum()) == pytest.approx(loss.item(), rel=1e-9, abs=1e-9)
    anchors = parts.positive.any(1)
    assert float(parts.terms[anchors].mean()) == pytest.approx(loss.item(), rel=1e-9, abs=1e-9)
    assert parts.left_out == int((~anchors).sum())
    for values in (parts.cosines, parts.scaled, parts.terms, parts.contribution, parts.gradient):
        assert torch.isfinite(values).all()
    assert not (parts.positive & parts.negative).any()
    neither = ~(parts.positive | parts.negative)
    assert (parts.probabilities[neither] == 0).all()
    assert (parts.gradient[neither].abs() < 1e-12).all()


@pytest.mark.parametrize(
    "name", [n for n in NAMES if n.startswith(("nt_xent", "info_nce", "sup_con", "cross")) and "ratio" not in n]
)
def test_softmax_probabilities_sum_to_one(name: str) -> None:
    parts, _ = pairs_of(0.1)[name]
    if name == "info_nce_views":  # each positive has its own denominator
        return
    assert torch.allclose(parts.probabilities.sum(1), torch.ones(len(parts.terms), dtype=torch.float64))


@pytest.mark.parametrize("name", NAMES)
def test_positives_are_pulled_and_negatives_pushed(name: str) -> None:
    parts, _ = pairs_of(0.5)[name]
    if name == "hard":  # there the easiest negatives lose weight when they come closer
        hardest = parts.cosines.masked_fill(~parts.negative, -torch.inf).argmax(1, keepdim=True)
        assert (parts.gradient.gather(1, hardest) > 0).all()
    else:
        assert (parts.gradient[parts.negative] >= 0).all()
    if name != "sup_con out":  # there a positive with a probability above 1 / |P| is pushed away
        assert (parts.gradient[parts.positive] <= 0).all()


def test_gradient_of_nt_xent_has_its_closed_form() -> None:
    parts = anatomy.nt_xent_anatomy(*embeddings(2, 4, 8), 0.3)
    expected = (parts.probabilities - parts.positive.double()) / 0.3
    assert torch.allclose(parts.gradient, expected, atol=1e-12)


@pytest.mark.parametrize("form", ["out", "in", "in-sum"])
def test_gradient_is_the_derivative_of_the_loss(form: SupConForm) -> None:
    """Chained with the cosines' derivative, against autograd through the loss."""
    z = embeddings(6, 4).requires_grad_()
    sup_con(z, LABELS, 0.4, form).backward()
    parts = anatomy.sup_con_anatomy(z.detach(), LABELS, 0.4, form)
    by_cosine = parts.gradient / (len(z) - parts.left_out)
    again = z.detach().clone().requires_grad_()
    unit = F.normalize(again, dim=1)
    ((unit @ unit.T) * by_cosine).sum().backward()
    assert torch.allclose(z.grad, again.grad, atol=1e-10)  # type: ignore[arg-type]


class TestWorkedExample:
    """Four embeddings of labels 1, 2, 1, 1, dot products, temperature 1; every matrix on the way to 2.4826."""

    @pytest.fixture
    def z(self) -> Tensor:
        torch.manual_seed(102)
        return torch.randn(4, 8)

    @pytest.fixture
    def parts(self, z: Tensor) -> Anatomy:
        return anatomy.sup_con_anatomy(z, torch.tensor([1, 2, 1, 1]), 1.0, normalize=False)

    def test_similarity_and_masks(self, parts: Anatomy, z: Tensor) -> None:
        by_hand = torch.tensor([[sum(float(a * b) for a, b in zip(u, v, strict=True)) for v in z] for u in z])
        assert torch.allclose(parts.cosines, by_hand, atol=1e-5)
        assert torch.equal(parts.scaled, parts.cosines)
        assert parts.positive.int().tolist() == [[0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 0, 1], [1, 0, 1, 0]]
        assert parts.negative.int().tolist() == [[0, 1, 0, 0], [1, 0, 1, 1], [0, 1, 0, 0], [0, 1, 0, 0]]
        assert torch.isinf(parts.logits.diagonal()).all()

    def test_exponentials_and_denominators(self, parts: Anatomy) -> None:
        exponentials = parts.logits.exp()
        by_hand = [[0.0 if i == j else math.exp(float(parts.cosines[i, j])) for j in range(4)] for i in range(4)]
        assert torch.allclose(exponentials, torch.tensor(by_hand), rtol=1e-5)
        assert parts.denominators.tolist() == pytest.approx([11.4197, 7.2050, 4.0179, 9.5451], abs=5e-5)

    def test_fractions_and_logs(self, parts: Anatomy) -> None:
        fraction = parts.logits.exp() / parts.denominators[:, None]
        assert torch.allclose(parts.probabilities, fraction, atol=1e-6)
        assert torch.allclose(-parts.log_probabilities[parts.positive], -fraction[parts.positive].log(), atol=1e-5)

    def test_rows_and_loss(self, parts: Anatomy) -> None:
        assert parts.contribution.sum(1).tolist() == pytest.approx([0.5504, 0, 1.0430, 0.8892], abs=5e-5)
        assert parts.loss == pytest.approx(2.4826, abs=5e-5)
        assert parts.left_out == 1
        each = -parts.log_probabilities.masked_fill(~parts.positive, 0).sum(1) / 6
        assert each.tolist() == pytest.approx([0.5504, 0, 1.0430, 0.8892], abs=5e-5)

    @pytest.mark.parametrize(("form", "loss"), [("in", 1.4402), ("in-sum", 0.7470)])
    def test_sum_inside_the_log(self, z: Tensor, form: SupConForm, loss: float) -> None:
        parts = anatomy.sup_con_anatomy(z, torch.tensor([1, 2, 1, 1]), 1.0, form, normalize=False)
        assert parts.loss == pytest.approx(loss, abs=5e-5)


def test_the_anatomies_of_dimensions() -> None:
    """Their sum is the loss; Barlow Twins' gradient is that of the loss by the correlations."""
    z1, z2 = embeddings(2, 12, 5)
    parts = anatomy.barlow_twins_anatomy(z1, z2, 0.02)
    assert parts.loss == pytest.approx(barlow_twins(z1, z2, 0.02).item(), rel=1e-12)
    assert float(parts.contribution.sum()) == pytest.approx(parts.loss, rel=1e-12)
    expected = torch.where(parts.positive, -2 * (1 - parts.cosines), 0.04 * parts.cosines)
    assert torch.allclose(parts.gradient, expected, atol=1e-12)
    weights = VICRegWeights(10.0, 20.0, 3.0)
    parts, terms = anatomy.vicreg_anatomy(z1, z2, weights), vicreg_terms(z1, z2)
    assert parts.loss == pytest.approx(terms.weighted(weights).item(), rel=1e-12)
    diagonal = parts.contribution.diagonal().sum().item()
    assert diagonal == pytest.approx(float(10 * terms.invariance + 20 * terms.variance), rel=1e-12)
    assert torch.allclose(parts.cosines, (torch.cov(z1.T) + torch.cov(z2.T)) / 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: anatomy.nt_xent_anatomy(*torch.randn(2, 3, 4), 0.0),
        lambda: anatomy.info_nce_views_anatomy(torch.randn(2, 3, 4), -1.0),
        lambda: anatomy.decoupled_nt_xent_anatomy(*torch.randn(2, 3, 4), 0.0),
    ],
)
def test_temperature_must_be_positive(call: Callable[[], Anatomy]) -> None:
    with pytest.raises(ValueError, match="temperature must be above 0"):
        call()
