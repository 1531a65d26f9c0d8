"""InfoNCE (van den Oord et al. 2018, eq. 4) in its common forms.

All of them classify which candidate is the positive; they differ in the source of the candidates and in the denominator.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses.blockwise import blockwise_pays, pair_logsumexp
from cl_core.losses.similarity import (
    check_count,
    check_same_shape,
    check_temperature,
    masked,
    self_pairs,
    similarities,
    unit_rows,
    without_autocast,
)


@without_autocast
def info_nce(
    query: Tensor, positive: Tensor, negatives: Tensor, temperature: float | Tensor = 0.07, left_out: Tensor | None = None
) -> Tensor:
    """-log softmax of the positive in [positive | negatives], with stored keys of a memory bank or queue as negatives.

    MoCo (He et al. 2020, eq. 1).

    Args:
        query: (N, D). positive: (N, D), the key of each query. negatives: (K, D), shared by all queries, K >= 0.
            Any floating dtype; rows need not be normalized.
        temperature: > 0; a tensor () is learned like a weight. The default is MoCo's.
        left_out: (N, K) bool, keys that are no negatives of a query, such as its own entry in a bank.

    Returns:
        Scalar, float32 (float64 for float64 input), >= 0; log(1 + K) where all keys are equal and none is left out.

    Raises:
        ValueError: shapes do not agree, or the temperature is not above 0.
    """
    check_temperature(temperature)
    check_same_shape(query, positive)
    own = (unit_rows(query) * unit_rows(positive)).sum(1, keepdim=True)
    others = similarities(query, negatives)
    if left_out is not None:
        others = masked(others, left_out)
    logits = torch.cat([own, others], 1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.long, device=query.device))


@without_autocast
def info_nce_views(z: Tensor, temperature: float | Tensor = 0.5) -> Tensor:
    """InfoNCE with V views of each image: each (anchor, positive) pair against the negatives.

    Negatives are the views of other images. An anchor's other positives are left out of the denominator, so no positive is
    pushed away. With V = 2 this is NT-Xent.

    Args:
        z: (V, N, D), V >= 2, N >= 1. Any floating dtype; rows need not be normalized.
        temperature: > 0.

    Returns:
        Scalar, the mean over all V (V - 1) N pairs, float32 (float64 for float64 input), >= 0.

    Raises:
        ValueError: fewer than two views, or the temperature is not above 0.
    """
    check_temperature(temperature)
    if z.dim() != 3 or len(z) < 2 or z.shape[1] == 0:
        raise ValueError(f"views need the shape (V, N, D) with V >= 2 and N >= 1, not {tuple(z.shape)}")
    count, images = z.shape[0], z.shape[1]
    rows = unit_rows(z.flatten(0, 1))
    rest = _log_sum_of_negatives(rows, images, temperature)
    # The pairs of each image, (N, V, V), and log(exp(positive) + exp(rest)): each one's denominator, in log space.
    of_image = rows.view(count, images, -1).transpose(0, 1)
    scaled = of_image @ of_image.mT / temperature
    terms = torch.logaddexp(scaled, rest.view(count, images).T[:, :, None]) - scaled
    return terms.masked_fill(self_pairs(count, z.device), 0).sum() / (images * count * (count - 1))


@without_autocast
def decoupled_nt_xent(z1: Tensor, z2: Tensor, temperature: float | Tensor = 0.5, sigma: float | None = None) -> Tensor:
    """-log(positive / sum of negatives): NT-Xent with the positive left out of the denominator.

    The decoupled loss (Yeh et al. 2022, eq. 5). With a = exp(positive) and b the sum over the negatives it is log(b / a),
    unbounded below, where NT-Xent is log(1 + b / a). See `decoupled_nt_xent_chance_level`.

    With `sigma` the positive's logit is multiplied by `decoupled_weights`: pairs that differ much pull more (DCLW, eq. 6).

    Args:
        z1, z2: (N, D), N >= 2, so that there are negatives. Any floating dtype.
        temperature: > 0.
        sigma: > 0, concentration of the weights; the paper's is 0.5. None: all weights are 1.

    Returns:
        Scalar, float32 (float64 for float64 input), any sign.

    Raises:
        ValueError: shapes differ, there is only one image, or the temperature or sigma is not above 0.
    """
    check_temperature(temperature)
    check_same_shape(z1, z2)
    if sigma is not None and not sigma > 0:
        raise ValueError(f"sigma must be above 0, not {sigma}")
    pairs = len(z1)
    if pairs < 2:
        raise ValueError("without the positive in the denominator at least 2 images are needed, not 1")
    first, second = unit_rows(z1), unit_rows(z2)
    cosines = (first * second).sum(1)
    weights = 1.0 if sigma is None else decoupled_weights(cosines, sigma)
    positive = weights * cosines / temperature
    return (_log_sum_of_negatives(torch.cat([first, second]), pairs, temperature) - positive.repeat(2)).mean()


def _log_sum_of_negatives(rows: Tensor, images: int, temperature: float | Tensor) -> Tensor:
    """log of the sum of exp(cosine / temperature) over the views of other images, (M,); -inf with one image.

    Args:
        rows: (M, D) of length 1, the first views of all images, then the second ones, and so on.
    """
    image = torch.arange(images, device=rows.device).repeat(len(rows) // images)

    def of_one_image(left: slice, right: slice) -> Tensor:
        return image[left, None] == image[None, right]

    if blockwise_pays(len(rows)):
        return pair_logsumexp(rows, temperature, of_one_image)
    everything = slice(0, len(rows))
    return masked(rows @ rows.T / temperature, of_one_image(everything, everything)).logsumexp(1)


def decoupled_weights(cosines: Tensor, sigma: float = 0.5) -> Tensor:
    """Weights of the positives in DCLW (Yeh et al. 2022, eq. 6), (N,) with mean 1, at most 2; they get no gradient.

    2 - exp(cosine / sigma) / mean of exp(cosine / sigma): below 1 where the two views already agree.

    Args:
        cosines: (N,), of the positives. sigma: > 0.
    """
    return 2 - len(cosines) * (cosines.detach() / sigma).softmax(0)


def info_nce_chance_level(negatives: int) -> float:
    """`info_nce` of a model with equal similarities for all K + 1 keys: log(1 + K), in nats; K >= 0."""
    check_count(negatives, 0, "negatives")
    return math.log(1 + negatives)


def info_nce_views_chance_level(views: int, images: int) -> float:
    """`info_nce_views` of a model with equal similarities: log(1 + V (N - 1)), in nats; V >= 2, N >= 1."""
    check_count(views, 2, "views")
    check_count(images, 1, "images")
    return math.log(1 + views * (images - 1))


def decoupled_nt_xent_chance_level(pairs: int) -> float:
    """`decoupled_nt_xent` of a model with equal similarities for all views of N images: log(2N - 2), in nats; N >= 2."""
    check_count(pairs, 2, "pairs")
    return math.log(2 * pairs - 2)
