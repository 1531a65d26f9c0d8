"""LARS against its formula and timm's, learning-rate schedules, and plateau across a resume."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from timm.optim import Lars
from torch import nn

from cl_core.runs.config import RunConfig
from cl_core.training import optimizers
from cl_core.training.optimizers import LARS, LARS_TRUST, Muon, Plateau, build_optimizer, learning_rate, orthogonalized


def test_lars_equals_its_formula() -> None:
    torch.manual_seed(0)
    weight, bias = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(3))
    start, start_bias = weight.detach().clone(), bias.detach().clone()
    gradients = [torch.randn(4, 3) for _ in range(2)]
    optimizer = LARS([weight, bias], lr=0.5, momentum=0.9, weight_decay=0.1)
    expected, momentum = start.clone(), torch.zeros(4, 3)
    for gradient in gradients:
        weight.grad, bias.grad = gradient.clone(), torch.ones(3)
        optimizer.step()
        update = gradient + 0.1 * expected
        momentum = 0.9 * momentum + update * LARS_TRUST * expected.norm() / update.norm()
        expected = expected - 0.5 * momentum
    assert torch.allclose(weight, expected, atol=1e-6)
    assert torch.allclose(bias, start_bias - 0.5 * (1 + 1.9), atol=1e-6)


def test_a_lars_step_is_proportional_to_the_weights() -> None:
    """Whatever the scale of the gradient."""
    steps = []
    for scale in (1e-3, 1e3):
        torch.manual_seed(0)
        weight = nn.Parameter(torch.randn(8, 8))
        before = weight.detach().clone()
        optimizer = LARS([weight], lr=1.0, momentum=0.0, weight_decay=0.0)
        weight.grad = torch.ones(8, 8) * scale
        optimizer.step()
        steps.append(float((weight.detach() - before).norm()))
    assert steps[0] == pytest.approx(steps[1], rel=1e-4)


@pytest.mark.parametrize("shape", [(8, 20), (20, 8), (16, 5, 3, 3)])
def test_muon_equals_torchs_on_matrices(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizers, "bf16_is_fast", lambda _: True)  # torch's iteration is in bfloat16
    torch.manual_seed(0)
    start, gradients = torch.randn(shape), torch.randn(5, *shape)
    ours = nn.Parameter(start.clone())
    theirs = nn.Parameter(start.flatten(1).clone())
    mine = Muon([ours], lr=0.05, momentum=0.9, weight_decay=0.1)
    other = torch.optim.Muon([theirs], lr=0.05, momentum=0.9, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients:
        ours.grad, theirs.grad = gradient.clone(), gradient.flatten(1).clone()
        mine.step()
        other.step()
    assert torch.allclose(ours.flatten(1), theirs, atol=2e-3)


def test_muon_is_adam_for_vectors_and_kernels_of_colors() -> None:
    torch.manual_seed(0)
    values, gradients = [torch.randn(6), torch.randn(4, 3, 3, 3)], [torch.randn(3, 6), torch.randn(3, 4, 3, 3, 3)]
    ours, theirs = ([nn.Parameter(value.clone()) for value in values] for _ in range(2))
    mine = Muon(ours, lr=0.01, momentum=0.9, weight_decay=0.1)
    decays = [{"params": theirs[:1], "weight_decay": 0.0}, {"params": theirs[1:], "weight_decay": 0.1}]
    other = torch.optim.AdamW(decays, lr=0.01)
    for step in range(3):
        for weights in (ours, theirs):
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient[step].clone()
        mine.step()
        other.step()
    for one, two in zip(ours, theirs, strict=True):
        assert torch.allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("shape", [(10, 40), (40, 10)])
def test_updates_become_orthogonal(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizers, "bf16_is_fast", lambda _: False)
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalized(torch.randn(shape)))
    assert float(values.min()) > 0.6 and float(values.max()) < 1.3
    assert orthogonalized(torch.zeros(shape)).abs().max() == 0


def lars_steps(kind: str, weight_decay: float) -> list[nn.Parameter]:
    """Weights after some steps: a matrix, a bias, a matrix of zeros, and a kernel whose gradient is zero every other step."""
    torch.manual_seed(0)
    weights = [nn.Parameter(value) for value in (torch.randn(8, 4), torch.randn(4), torch.zeros(3, 3), torch.randn(2, 3, 3, 3))]
    optimizer: torch.optim.Optimizer
    if kind == "ours":
        optimizer = LARS(weights, lr=0.5, momentum=0.9, weight_decay=weight_decay)
    else:
        matrices = {"params": [w for w in weights if w.dim() > 1], "weight_decay": weight_decay, "always_adapt": True}
        vectors = {"params": [w for w in weights if w.dim() == 1], "weight_decay": 0.0}
        optimizer = Lars([matrices, vectors], lr=0.5, momentum=0.9, trust_coeff=LARS_TRUST)
    for step in range(10):
        for number, weight in enumerate(weights):
            weight.grad = torch.zeros_like(weight) if number == 3 and step % 2 else torch.randn_like(weight)
        optimizer.step()
    return weights


def test_lars_differs_from_timms_by_the_weight_decay_only() -> None:
    """Without weight decay the steps are equal; with it, timm divides by the sum of two norms, LARS here by that of the sum."""
    for ours, theirs in zip(lars_steps("ours", 0.0), lars_steps("timm", 0.0), strict=True):
        torch.testing.assert_close(ours, theirs)
    matrix, bias, *_ = zip(lars_steps("ours", 0.1), lars_steps("timm", 0.1), strict=True)
    torch.testing.assert_close(*bias)
    assert not torch.allclose(*matrix, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD), ("lars", LARS)]
)
def test_optimizers_by_name(name: str, kind: type) -> None:
    method = nn.Linear(3, 3)
    method.bias.requires_grad_(False)
    optimizer = build_optimizer(RunConfig.model_validate({"optimizer": name, "lr": 0.3}), method, torch.device("cpu"))
    assert type(optimizer) is kind
    assert optimizer.param_groups[0]["lr"] == 0.3
    assert len(optimizer.param_groups[0]["params"]) == 1


def test_the_rate_rises_then_falls_to_zero() -> None:
    config = RunConfig(lr=1.0, warmup=0.1)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert max(rates) == pytest.approx(1.0)
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert rates[-1] < 0.001
    assert learning_rate(config, 55, 100) == pytest.approx(0.5)
    assert [learning_rate(config, step, 100) for step in (100, 150, 250)] == [0, 0, 0], "further steps change nothing"


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_the_rate_stays_at_its_peak(schedule: str) -> None:
    config = RunConfig.model_validate({"lr": 1.0, "warmup": 0.1, "schedule": schedule})
    assert [learning_rate(config, step, 100) for step in (4, 9, 50, 99)] == pytest.approx([0.5, 1, 1, 1])


def test_plateau_halves_the_rate_when_the_loss_stops_falling() -> None:
    plateau = Plateau(patience=1, factor=0.5)
    factors = []
    for loss in (3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0):
        plateau.epoch_done(loss)
        factors.append(plateau.factor)
    assert factors == [1, 1, 1, 0.5, 0.5, 0.25, 0.25]


def test_plateau_with_negative_losses() -> None:
    """SimSiam's loss: relative to a negative best, a constant loss would count as an improvement."""
    plateau = Plateau(patience=0, factor=0.5)
    for _ in range(4):
        plateau.epoch_done(-0.9)
    assert plateau.factor == 0.5**3


def test_plateau_state_survives_json() -> None:
    config = RunConfig(schedule="plateau", plateau_patience=2)
    whole, first, second = (Plateau(config.plateau_patience, config.plateau_factor) for _ in range(3))
    losses = [3.0, 2.5, 2.6, 2.7, 2.8, 2.9, 2.4, 2.5, 2.6, 2.7]
    second.restore(json.loads(json.dumps(first.state())))  # before any epoch: the best loss is infinite
    for position, loss in enumerate(losses):
        whole.epoch_done(loss)
        if position < 4:
            first.epoch_done(loss)
    second.restore(json.loads(json.dumps(first.state())))
    for loss in losses[4:]:
        second.epoch_done(loss)
    assert second.state() == whole.state()
    assert second.factor < 1
