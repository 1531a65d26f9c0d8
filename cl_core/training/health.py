"""How a training goes, in words: a loss alone does not tell a collapse from a success."""

from __future__ import annotations

import math
from typing import Literal

from cl_core.evaluation.geometry import Geometry

Verdict = Literal["untrained", "at chance", "learning", "collapsed", "diverged"]

COLLAPSED_STD = 0.1  # of 1 / sqrt(D)
COLLAPSED_RANK = 1.5  # in few dimensions less: a healthy circle has 2
CHANCE_MARGIN = 0.02  # of the chance level, at least in nats


def judge(step: int, loss: float | None, chance: float, geometry: Geometry) -> Verdict:
    """What the last loss, its chance level and the spread of the embeddings say together.

    Args:
        loss: mean over the steps since the last line of the curve; None before the first.
    """
    if step == 0 or loss is None:
        return "untrained"
    if not math.isfinite(loss):
        return "diverged"
    if geometry.std < COLLAPSED_STD / math.sqrt(geometry.dim) or geometry.effective_rank < min(
        COLLAPSED_RANK, 1 + 0.1 * (geometry.dim - 1)
    ):
        return "collapsed"
    if loss > chance - max(CHANCE_MARGIN, CHANCE_MARGIN * abs(chance)):
        return "at chance"
    return "learning"


def sentence(verdict: Verdict, loss: float | None, chance: float, geometry: Geometry) -> str:
    """The verdict with the figures it rests on."""
    spread = f"std {geometry.std:.3f} (spread evenly: {geometry.dim**-0.5:.3f}), effective rank {geometry.effective_rank:.0f}"
    if loss is None or verdict == "untrained":
        return f"not trained yet: {spread}"
    against = f"loss {loss:.3f}, chance {chance:.3f}"
    if verdict == "collapsed":
        return f"collapsed: all images get nearly the same embedding, {spread}, whatever the loss says ({loss:.3f})"
    if verdict == "at chance":
        return f"at chance: {against}; nothing is learned yet"
    return f"{verdict}: {against}; {spread}"
