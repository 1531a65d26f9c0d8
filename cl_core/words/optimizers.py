"""Optimizers with sparse updates: a step changes only the rows that it uses."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from cl_core.words.config import WordConfig
from cl_core.words.model import RowGradient, WordVectors

Gradients = tuple[RowGradient, ...]  # of center, context and, if it is trained, bias


def clip(gradients: Gradients, limit: float) -> Gradients:
    """Scale the gradients of all tables to a total norm of at most `limit`; 0 means no limit."""
    if limit == 0:
        return gradients
    norm = torch.stack([gradient.values.norm() for gradient in gradients]).norm()
    factor = (limit / (norm + 1e-6)).clamp(max=1)
    return tuple(dataclasses.replace(gradient, values=gradient.values * factor) for gradient in gradients)


class WordOptimizer(ABC):
    """Updates the tables in place."""

    @abstractmethod
    def step(self, gradients: Gradients, lr: float, pairs: int) -> None:
        """Update by the gradients of the mean loss over `pairs` pairs."""

    def state(self) -> dict[str, Tensor]:
        """The tensors needed to resume; not copies."""
        return {}


class RowSGD(WordOptimizer):
    """SGD with learning rate `lr` per pair, as in word2vec, damped for frequent words.

    All pairs of a step have the same vectors, so the row of a word in n pairs would move by n times a single step. Its
    summed gradient is scaled to that of n / (1 + n / limit) pairs.
    """

    def __init__(self, vectors: WordVectors, limit: float, with_bias: bool) -> None:
        self._tables = list(vectors.tensors().values())[: 3 if with_bias else 2]
        self._limit = limit

    def step(self, gradients: Gradients, lr: float, pairs: int) -> None:
        for table, gradient in zip(self._tables, gradients, strict=True):
            scale = pairs / (1 + gradient.uses / self._limit)
            values = gradient.values * (scale if gradient.values.dim() == 1 else scale[:, None])
            table.index_add_(0, gradient.rows, values, alpha=-lr)


class RowAdam(WordOptimizer):
    """torch's SparseAdam (Kingma and Ba 2015), which updates the moments of used rows only."""

    def __init__(self, vectors: WordVectors, lr: float, with_bias: bool) -> None:
        self._tables = list(vectors.tensors().values())[: 3 if with_bias else 2]
        self._adam = torch.optim.SparseAdam(self._tables, lr=lr)
        for table in self._tables:  # created here, so that a state can be restored before the first step
            self._adam.state[table] = {"step": 0, "exp_avg": torch.zeros_like(table), "exp_avg_sq": torch.zeros_like(table)}
        self._steps = torch.zeros(1, dtype=torch.int64)

    def step(self, gradients: Gradients, lr: float, pairs: int) -> None:
        self._adam.param_groups[0]["lr"] = lr
        for table, gradient in zip(self._tables, gradients, strict=True):
            self._adam.state[table]["step"] = int(self._steps)
            # The rows are distinct and ascending, so the tensor is coalesced.
            table.grad = torch.sparse_coo_tensor(
                gradient.rows[None], gradient.values, table.shape, is_coalesced=True, check_invariants=False
            )
        self._adam.step()
        for table in self._tables:
            table.grad = None
        self._steps += 1

    def state(self) -> dict[str, Tensor]:
        moments = {
            f"adam.{number}.{name}": self._adam.state[table][name]
            for number, table in enumerate(self._tables)
            for name in ("exp_avg", "exp_avg_sq")
        }
        return moments | {"adam.steps": self._steps}


def build_word_optimizer(config: WordConfig, vectors: WordVectors) -> WordOptimizer:
    """The optimizer of `config`; it updates the bias only if `config.bias` is set."""
    if config.optimizer == "adam":
        return RowAdam(vectors, config.lr, config.bias)
    return RowSGD(vectors, config.repeat_limit, config.bias)
