"""Optimizers and learning-rate schedules, by their names in the settings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from cl_core.runs.config import RunConfig
from cl_core.system.device import bf16_is_fast

LARS_TRUST = 1e-3
COLORS = 3
ADAM_BETAS, ADAM_EPSILON = (0.9, 0.999), 1e-8
NEWTON_SCHULZ, NEWTON_SCHULZ_STEPS = (3.4445, -4.7750, 2.0315), 5  # coefficients of Jordan et al. 2024


class LARS(torch.optim.Optimizer):
    """Layer-wise adaptive rate scaling (You et al. 2017): momentum SGD, each update scaled to the norm of its weights.

    Vectors (biases, norms) get neither scaling nor weight decay, as in SimCLR (appendix B.9). `timm.optim.Lars` takes other
    steps: it divides by |gradient| + weight_decay |weights|, this one by |gradient + weight_decay weights|, as MoCo v3 does.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, group)

    def _update(self, weight: Tensor, group: dict[str, Any]) -> None:
        update = weight.grad
        assert update is not None
        if weight.dim() > 1:
            update = update.add(weight, alpha=group["weight_decay"])
            weight_norm, update_norm = weight.norm(), update.norm()
            scalable = (weight_norm > 0) & (update_norm > 0)
            ratio = LARS_TRUST * weight_norm / update_norm.clamp(min=1e-30)
            update = update * torch.where(scalable, ratio, torch.ones_like(weight_norm))
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        state["momentum_buffer"].mul_(group["momentum"]).add_(update)
        weight.sub_(state["momentum_buffer"] * group["lr"])


class Muon(torch.optim.Optimizer):
    """Momentum whose update of each matrix is made orthogonal (Jordan et al. 2024); vectors get Adam's update and do not decay.

    Kernels count as matrices with one row for each output channel; one that reads colors gets Adam's update, too. Updates are
    scaled to the size of AdamW's (Liu et al. 2025, section 2.2), so that both take the same rate. For matrices the steps are
    those of `torch.optim.Muon` with `adjust_lr_fn="match_rms_adamw"`, which takes no kernels.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    if weight.dim() > 1:
                        weight.mul_(1 - group["lr"] * group["weight_decay"])
                    update = self._orthogonal if weight.dim() > 1 and weight.shape[1] > COLORS else self._adam
                    weight.sub_(update(weight, group["momentum"]) * group["lr"])

    def _orthogonal(self, weight: Tensor, momentum: float) -> Tensor:
        state, gradient = self.state[weight], weight.grad
        assert gradient is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        matrix = gradient.lerp(state["momentum_buffer"], momentum).flatten(1)
        return (orthogonalized(matrix) * (0.2 * max(matrix.shape) ** 0.5)).view_as(weight)

    def _adam(self, weight: Tensor, _: float) -> Tensor:
        state, gradient = self.state[weight], weight.grad
        assert gradient is not None
        if "updates" not in state:  # torch leaves a "step" on the device from which it was loaded
            state["updates"] = torch.zeros((), device=weight.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
        state["updates"] += 1
        state["exp_avg"].lerp_(gradient, 1 - ADAM_BETAS[0])
        state["exp_avg_sq"].lerp_(gradient.square(), 1 - ADAM_BETAS[1])
        corrections = [1 - beta ** state["updates"] for beta in ADAM_BETAS]
        return state["exp_avg"] / corrections[0] / ((state["exp_avg_sq"] / corrections[1]).sqrt() + ADAM_EPSILON)


def orthogonalized(matrix: Tensor) -> Tensor:
    """About U V^T of the singular value decomposition U S V^T of a matrix, by the iteration of Newton and Schulz.

    Singular values end between 0.7 and 1.2 (Jordan et al. 2024); in bfloat16 where that is fast.
    """
    a, b, c = NEWTON_SCHULZ
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide.bfloat16() if bf16_is_fast(matrix.device) else wide
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x if wide is matrix else x.T).to(matrix.dtype)


def build_optimizer(config: RunConfig, method: nn.Module, device: torch.device) -> torch.optim.Optimizer:
    """The optimizer of a method's trainable parameters, fused where torch has a fused kernel (CUDA and CPU)."""
    parameters = [p for p in method.parameters() if p.requires_grad]
    fused = device.type in ("cuda", "cpu")
    lr, decay = config.lr, config.weight_decay
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=lr, weight_decay=decay, fused=fused)
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=lr, weight_decay=decay, fused=fused)
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=lr, momentum=config.momentum, weight_decay=decay, fused=fused)
    if config.optimizer == "muon":
        return Muon(parameters, lr, config.momentum, decay)
    return LARS(parameters, lr, config.momentum, decay)


def learning_rate(config: RunConfig, step: int, total: int) -> float:
    """Learning rate of a step (0 to total - 1): linear warm-up to the peak, then the configured schedule.

    From `total` on the cosine schedule stays at 0.
    With `plateau` the rate stays at the peak; the factor of `Plateau` is applied on top.
    """
    warmup = int(config.warmup * total)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    if config.schedule != "cosine":
        return config.lr
    done = min(1.0, (step - warmup) / max(1, total - warmup))
    return config.lr * 0.5 * (1 + math.cos(math.pi * done))


class Plateau:
    """A learning-rate factor that falls when the mean loss of an epoch stops falling: torch's ReduceLROnPlateau.

    Improvements are absolute, not relative to the loss, which may be negative (SimSiam's).
    """

    def __init__(self, patience: int, factor: float) -> None:
        self._rate = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        self._schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self._rate, factor=factor, patience=patience, threshold_mode="abs", eps=0.0
        )

    @property
    def factor(self) -> float:
        return self._rate.param_groups[0]["lr"]

    def epoch_done(self, loss: float) -> None:
        self._schedule.step(loss)

    def state(self) -> dict[str, Any]:
        """State that JSON can store."""
        best = self._schedule.best
        return {
            "factor": self.factor,
            "best": None if math.isinf(best) else best,
            "bad_epochs": self._schedule.num_bad_epochs,
            "epochs": self._schedule.last_epoch,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._rate.param_groups[0]["lr"] = state["factor"]
        self._schedule.best = math.inf if state["best"] is None else state["best"]
        self._schedule.num_bad_epochs = state["bad_epochs"]
        self._schedule.last_epoch = state["epochs"]
