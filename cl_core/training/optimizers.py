"""Optimizers and learning rates, by the names the settings have."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from cl_core.runs.config import RunConfig

LARS_TRUST = 1e-3


class LARS(torch.optim.Optimizer):
    """Momentum SGD whose step is scaled, matrix by matrix, to the size of the weights (after You et al. 2017).

    Vectors (biases, norms) take plain steps without weight decay, as in SimCLR (appendix B.9).
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group)

    def _move(self, weight: Tensor, group: dict[str, Any]) -> None:
        update = weight.grad
        assert update is not None
        if weight.dim() > 1:
            update = update.add(weight, alpha=group["weight_decay"])
            size, length = weight.norm(), update.norm()
            known = (size > 0) & (length > 0)
            update = update * torch.where(known, LARS_TRUST * size / length.clamp(min=1e-30), torch.ones_like(size))
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        state["momentum_buffer"].mul_(group["momentum"]).add_(update)
        weight.sub_(state["momentum_buffer"] * group["lr"])


def build_optimizer(config: RunConfig, method: nn.Module, device: torch.device) -> torch.optim.Optimizer:
    """The optimizer over what is trained of a method; in one kernel where torch has one (CUDA and CPU)."""
    parameters = [p for p in method.parameters() if p.requires_grad]
    fused = device.type in ("cuda", "cpu")
    lr, decay = config.lr, config.weight_decay
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=lr, weight_decay=decay, fused=fused)
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=lr, weight_decay=decay, fused=fused)
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=lr, momentum=config.momentum, weight_decay=decay, fused=fused)
    return LARS(parameters, lr, config.momentum, decay)


def learning_rate(config: RunConfig, step: int, total: int) -> float:
    """Linear warm-up to the peak, then as `schedule` says, in steps: step is 0 to total - 1.

    `plateau` stays at the peak here; `Plateau` multiplies it.
    """
    warmup = int(config.warmup * total)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    if config.schedule != "cosine":
        return config.lr
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


class Plateau:
    """The factor that falls when an epoch's mean loss stops falling, by torch's ReduceLROnPlateau on a rate of 1.

    Gains are compared as they are, not relative to the loss, which may be below zero (SimSiam's).
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
        """As JSON can hold it."""
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
