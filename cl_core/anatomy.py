"""The losses taken apart for showing; tests hold every number equal to what `losses/` computes."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses.nt_xent import positive_index, scaled_similarities


@dataclasses.dataclass(frozen=True)
class NTXentAnatomy:
    """Every intermediate of NT-Xent over M = 2N views, stacked `[first views; second views]`.

    cosines: (M, M), including the self pairs on the diagonal.
    logits: (M, M), cosines / temperature, self pairs -inf.
    probabilities: (M, M), softmax of each row; 0 for self pairs.
    positive: (M,) int64, column of each row's positive.
    terms: (M,), -log probability of the positive; the loss is their mean.
    gradient: (M, M), derivative of a row's own term by each of its cosines: (probability - 1) /
        temperature for the positive (negative: a pull), probability / temperature for a negative (a push).
    loss: the mean of `terms`.
    """

    cosines: Tensor
    logits: Tensor
    probabilities: Tensor
    positive: Tensor
    terms: Tensor
    gradient: Tensor
    loss: float


def nt_xent_anatomy(z1: Tensor, z2: Tensor, temperature: float) -> NTXentAnatomy:
    """Take `losses.nt_xent(z1, z2, temperature)` apart. z1, z2: (N, D)."""
    z = torch.cat([z1, z2])
    unit = F.normalize(z if z.dtype == torch.float64 else z.float(), dim=1)
    logits = scaled_similarities(z, temperature)
    log_probabilities = logits.log_softmax(1)
    probabilities = log_probabilities.exp()
    positive = positive_index(len(z1), z.device)
    terms = -log_probabilities.gather(1, positive[:, None])[:, 0]
    target = F.one_hot(positive, len(z)).to(probabilities.dtype)
    return NTXentAnatomy(
        cosines=unit @ unit.T,
        logits=logits,
        probabilities=probabilities,
        positive=positive,
        terms=terms,
        gradient=(probabilities - target) / temperature,
        loss=terms.mean().item(),
    )
