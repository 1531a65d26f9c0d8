"""Sparse updates: only the rows that a step used are touched."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from cl_core.words.config import WordConfig
from cl_core.words.model import RowGradient, WordVectors

Found = tuple[RowGradient, ...]  # of the trained tables: center, context, and where it is trained the bias


def clip(found: Found, limit: float) -> Found:
    """Scale the gradients of all tables together to a norm of at most `limit`; 0 is no limit."""
    if limit == 0:
        return found
    norm = torch.stack([gradient.values.norm() for gradient in found]).norm()
    factor = (limit / (norm + 1e-6)).clamp(max=1)
    return tuple(dataclasses.replace(gradient, values=gradient.values * factor) for gradient in found)


class WordOptimizer(ABC):
    """Changes the tables in place."""

    @abstractmethod
    def step(self, found: Found, lr: float, pairs: int) -> None:
        """found: gradients of the mean loss over `pairs` pairs."""

    def state(self) -> dict[str, Tensor]:
        """Tensors that resuming needs, the optimizer's own and not copies."""
        return {}


class RowSGD(WordOptimizer):
    """Gradient descent with `lr` for each pair, as in word2vec; a frequent word's many gradients do not all add up.

    All pairs of a step see the same vectors, so a word that n pairs use would leap n times as far as one
    step is meant to go: its sum counts as if n / (1 + n / limit) had used it.
    """

    def __init__(self, vectors: WordVectors, limit: float, with_bias: bool) -> None:
        self._tables = list(vectors.tensors().values())[: 3 if with_bias else 2]
        self._limit = limit

    def step(self, found: Found, lr: float, pairs: int) -> None:
        for table, gradient in zip(self._tables, found, strict=True):
            share = pairs / (1 + gradient.uses / self._limit)
            values = gradient.values * (share if gradient.values.dim() == 1 else share[:, None])
            table.index_add_(0, gradient.rows, values, alpha=-lr)


class RowAdam(WordOptimizer):
    """torch's SparseAdam: moments of the rows that were used (Kingma and Ba 2015)."""

    def __init__(self, vectors: WordVectors, lr: float, with_bias: bool) -> None:
        self._tables = list(vectors.tensors().values())[: 3 if with_bias else 2]
        self._adam = torch.optim.SparseAdam(self._tables, lr=lr)
        for table in self._tables:  # made now, so that a state can be restored into a fresh optimizer
            self._adam.state[table] = {"step": 0, "exp_avg": torch.zeros_like(table), "exp_avg_sq": torch.zeros_like(table)}
        self._steps = torch.zeros(1, dtype=torch.int64)

    def step(self, found: Found, lr: float, pairs: int) -> None:
        self._adam.param_groups[0]["lr"] = lr
        for table, gradient in zip(self._tables, found, strict=True):
            self._adam.state[table]["step"] = int(self._steps)
            # The rows are distinct and ascending: nothing is left to add up.
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
    """The configured optimizer over the vectors' tables; the bias is left alone where it is off."""
    if config.optimizer == "adam":
        return RowAdam(vectors, config.lr, config.bias)
    return RowSGD(vectors, config.repeat_limit, config.bias)
