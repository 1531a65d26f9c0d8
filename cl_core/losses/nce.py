"""Noise-contrastive estimation: classify data against noise (Gutmann and Hyvärinen 2010, 2012)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses.similarity import at_least_float32, check_count, without_autocast


@without_autocast
def nce(
    data: Tensor, noise: Tensor, data_log_kq: Tensor | float, noise_log_kq: Tensor | float, left_out: Tensor | None = None
) -> Tensor:
    """Binary cross-entropy of one data sample against K noise samples, with the correction log(k q).

    The odds that u is data are p(u) / (k q(u)), so the logit is log p(u) - log(k q(u)) (Gutmann and Hyvärinen 2012, eq. 5 to
    8). The scores then estimate normalized log-probabilities.

    Args:
        data: (N,) scores log p of the data, any floating dtype. noise: (N, K) scores of the noise samples.
        data_log_kq, noise_log_kq: log(k q) of the same items, broadcast to their shapes; q is the
            probability of the item in the noise distribution.
        left_out: (N, K) bool, noise samples that are ignored.

    Returns:
        Scalar, the mean over data of -log s(data) - sum of log(1 - s(noise)), float32 (float64 for
        float64 input), >= 0.

    Raises:
        ValueError: shapes do not agree.
    """
    is_data, is_noise = nce_terms(data, noise, data_log_kq, noise_log_kq, left_out)
    return (is_data + is_noise.sum(1)).mean()


@without_autocast
def nce_terms(
    data: Tensor, noise: Tensor, data_log_kq: Tensor | float, noise_log_kq: Tensor | float, left_out: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The terms of `nce`: -log s(data), (N,), and -log(1 - s(noise)), (N, K), 0 where left out.

    Arguments and errors: as `nce`.
    """
    if data.dim() != 1 or noise.dim() != 2 or len(noise) != len(data) or len(data) == 0:
        raise ValueError(f"scores need the shapes (N,) and (N, K) with N >= 1, not {tuple(data.shape)} and {tuple(noise.shape)}")
    is_data = F.softplus(-(at_least_float32(data) - data_log_kq))
    is_noise = F.softplus(at_least_float32(noise) - noise_log_kq)
    return is_data, is_noise if left_out is None else is_noise.masked_fill(left_out, 0)


def negative_sampling(data: Tensor, noise: Tensor, left_out: Tensor | None = None) -> Tensor:
    """`nce` without the correction, as in word2vec (Mikolov et al. 2013, eq. 4).

    The scores estimate log(p / (k q)), not log-probabilities.
    """
    return nce(data, noise, 0.0, 0.0, left_out)


def nce_chance_level(noise: int) -> float:
    """`nce` of a model with the constant logit log(1 / K), the best constant: (K + 1) log(K + 1) - K log K, in nats; K >= 1."""
    check_count(noise, 1, "noise")
    return (noise + 1) * math.log(noise + 1) - noise * math.log(noise)


def log_partition(scores: Tensor, candidates: int) -> Tensor:
    """Estimate log Z from scores of items sampled uniformly from `candidates` items: log(candidates * mean exp(score)).

    Args:
        scores: unnormalized log p, any shape.

    Returns:
        Scalar, float32 (float64 for float64 input).
    """
    values = at_least_float32(scores).flatten()
    return torch.logsumexp(values, 0) + math.log(candidates) - math.log(len(values))
