"""Verdict on a training run: a loss alone does not distinguish a collapse from a success."""

from __future__ import annotations

import math
from typing import Literal

from cl_core.evaluation.geometry import Geometry
from cl_core.text import text

Verdict = Literal["untrained", "at chance", "learning", "collapsed", "diverged", "too early"]

COLLAPSED_STD = 0.1  # of 1 / sqrt(D)
COLLAPSED_RANK = 1.5  # less in few dimensions: points on a circle have rank 2
CHANCE_MARGIN = 0.02  # of the chance level, at least in nats
EARLY_EPOCHS = 1.0  # before that most runs look collapsed or at chance


def training_verdict(step: int, loss: float | None, chance: float, geometry: Geometry, epoch: float = math.inf) -> Verdict:
    """Verdict from the latest loss, its chance level and the spread of the embeddings.

    Args:
        loss: mean over the steps since the last logged line; None before the first.
        epoch: epochs trained so far. In the first one, embeddings of healthy runs are still close together.
    """
    if step == 0 or loss is None:
        return "untrained"
    if not math.isfinite(loss):
        return "diverged"
    most_rank = min(geometry.dim, geometry.images - 1)  # of centered embeddings
    narrow = geometry.effective_rank < min(COLLAPSED_RANK, 1 + 0.1 * (most_rank - 1))
    if narrow or geometry.std < COLLAPSED_STD / math.sqrt(geometry.dim):
        return "collapsed" if epoch >= EARLY_EPOCHS else "too early"
    if loss > chance - max(CHANCE_MARGIN, CHANCE_MARGIN * abs(chance)):
        return "at chance" if epoch >= EARLY_EPOCHS else "too early"
    return "learning"


def sentence(verdict: Verdict, loss: float | None, chance: float, geometry: Geometry) -> str:
    """The verdict with its numbers, in the language in effect."""
    rank = f"{geometry.effective_rank:.0f}"
    spread = text("training.spread", std=f"{geometry.std:.3f}", even=f"{geometry.dim**-0.5:.3f}", rank=rank)
    if loss is None or verdict == "untrained":
        return text("training.health.untrained", spread=spread)
    key = verdict.replace(" ", "_")
    return text(f"training.health.{key}", loss=f"{loss:.3f}", chance=f"{chance:.3f}", spread=spread)
