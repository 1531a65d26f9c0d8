"""Word vectors, the scores of word pairs, and the sparse gradients of the scores."""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.words.config import WordConfig
from cl_core.words.pairs import Pairs


@dataclasses.dataclass
class WordVectors:
    """The parameters of the model.

    The score of context word w and center word c is context[w] . center[c] + bias[w].

    Attributes:
        center, context: (V, D) float32.
        bias: (V,) float32, of the context words.
    """

    center: Tensor
    context: Tensor
    bias: Tensor

    def __len__(self) -> int:
        return len(self.center)

    def tensors(self) -> dict[str, Tensor]:
        return {"center": self.center, "context": self.context, "bias": self.bias}

    def all_scores(self, centers: Tensor) -> Tensor:
        """Scores of all context words for center words (N,) int64: (N, V) float32."""
        return self.center[centers] @ self.context.T + self.bias


def init_vectors(config: WordConfig, counts: Tensor, device: torch.device) -> WordVectors:
    """Initialize the vectors from `config.seed`.

    `word2vec`: centers uniform in ±0.5 / D, contexts 0; `xavier`: both uniform in ±sqrt(6 / (V + D)).
    The bias is initialized to log(count / total), the optimum without context, or is 0 if it is not trained.

    Args:
        counts: (V,) word counts.
    """
    generator = torch.Generator().manual_seed(config.seed)
    size = (len(counts), config.dim)

    def uniform(limit: float) -> Tensor:
        return (2 * torch.rand(size, generator=generator) - 1) * limit

    if config.init == "word2vec":
        center, context = uniform(0.5 / config.dim), torch.zeros(size)
    else:
        limit = math.sqrt(6 / sum(size))
        center, context = uniform(limit), uniform(limit)
    bias = (counts.double() / counts.sum()).log().float() if config.bias else torch.zeros(len(counts))
    return WordVectors(center.to(device), context.to(device), bias.to(device))


@dataclasses.dataclass(frozen=True)
class RowGradient:
    """Gradient of some rows of a table.

    Attributes:
        rows: (R,) int64, distinct and ascending.
        values: (R, D) or (R,) float32, summed over the uses of the row.
        uses: (R,) float32, number of pairs that use the row; all pairs of a group use its noise words.
    """

    rows: Tensor
    values: Tensor
    uses: Tensor


def _sum_by_row(
    rows: Tensor, source: Tensor, sources: Tensor, weights: Tensor | None, uses: Tensor
) -> tuple[RowGradient, Tensor]:
    """Sum weights * source[sources] by row, without a matrix of all summands; also the sums of the weights, (R,).

    Sorting and `embedding_bag` make it deterministic on CUDA.

    Args:
        rows, sources: (N,) int64, the row of each summand and its index in `source`.
        source: (S, D). weights: (N,), None for ones. uses: (N,).
    """
    ordered, order = rows.sort()
    distinct, inverse, counts = torch.unique_consecutive(ordered, return_inverse=True, return_counts=True)
    sorted_weights = None if weights is None else weights[order]
    starts = counts.cumsum(0) - counts
    values = F.embedding_bag(sources[order], source, starts, mode="sum", per_sample_weights=sorted_weights)
    used = source.new_zeros(len(distinct)).index_add_(0, inverse, uses[order].to(source.dtype))
    ones = source.new_ones(1, 1)
    weight_sums = F.embedding_bag(torch.zeros_like(order), ones, starts, mode="sum", per_sample_weights=sorted_weights)
    return RowGradient(distinct, values, used), weight_sums[:, 0]


def scores(vectors: WordVectors, pairs: Pairs, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of the positives, (B,), and of the noise words of each group, (G, K); `noise` is (G, K) int64."""
    center = vectors.center[pairs.centers]
    positive = (F.embedding(pairs.contexts, vectors.context) * F.embedding(pairs.owner, center)).sum(1)
    negative = torch.bmm(F.embedding(noise, vectors.context), center[:, :, None])[:, :, 0]
    return positive + vectors.bias[pairs.contexts], negative + vectors.bias[noise]


def gradients(
    vectors: WordVectors, pairs: Pairs, noise: Tensor, of_positive: Tensor, of_noise: Tensor
) -> tuple[RowGradient, RowGradient, RowGradient]:
    """Gradients of center, context and bias from those of the scores.

    Args:
        noise: (G, K) int64.
        of_positive, of_noise: (B,) and (G, K), derivatives of the loss with respect to `scores`.
    """
    groups = torch.arange(len(pairs.centers), device=noise.device)
    center = vectors.center[pairs.centers]
    starts = pairs.sizes.cumsum(0) - pairs.sizes
    from_positive = F.embedding_bag(pairs.contexts, vectors.context, starts, mode="sum", per_sample_weights=of_positive)
    from_noise = F.embedding_bag(noise, vectors.context, mode="sum", per_sample_weights=of_noise)
    by_center, _ = _sum_by_row(pairs.centers, from_positive + from_noise, groups, None, pairs.sizes)
    items = torch.cat([pairs.contexts, noise.flatten()])
    weights = torch.cat([of_positive, of_noise.flatten()])
    owners = torch.cat([pairs.owner, groups.repeat_interleave(noise.shape[1])])
    uses = torch.cat([torch.ones_like(pairs.contexts), pairs.sizes.repeat_interleave(noise.shape[1])])
    by_context, of_bias = _sum_by_row(items, center, owners, weights, uses)
    return by_center, by_context, RowGradient(by_context.rows, of_bias, by_context.uses)
