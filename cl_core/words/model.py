"""Two tables of word vectors, scores between them, and the sparse gradient of those scores."""

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
    """center, context: (V, D) float32; bias: (V,) float32, of context words.

    The score of context word w beside center word c is context[w] . center[c] + bias[w].
    """

    center: Tensor
    context: Tensor
    bias: Tensor

    def __len__(self) -> int:
        return len(self.center)

    def tensors(self) -> dict[str, Tensor]:
        return {"center": self.center, "context": self.context, "bias": self.bias}

    def all_scores(self, centers: Tensor) -> Tensor:
        """Scores of every context word beside center words (N,): (N, V)."""
        return self.center[centers] @ self.context.T + self.bias


def fresh_vectors(config: WordConfig, counts: Tensor, device: torch.device) -> WordVectors:
    """Vectors at the start, drawn from the seed. counts: (V,) of the words.

    `word2vec`: centers uniform within 0.5 / D, contexts 0; `xavier`: both uniform within sqrt(6 / (V + D)).
    The bias starts at log(count / total), the best guess without any context, or stays 0.
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

    rows: (R,) int64, distinct and ascending; values: (R, D) or (R,), summed over what used the row;
    uses: (R,) float32, how many pairs used it (a noise word of a group is used by all its pairs).
    """

    rows: Tensor
    values: Tensor
    uses: Tensor


def _sum_by_row(
    rows: Tensor, source: Tensor, sources: Tensor, weights: Tensor | None, uses: Tensor
) -> tuple[RowGradient, Tensor]:
    """For each distinct row: the sum of weights * source[sources] over its places, without a (places x D) matrix.

    Also gives the sums of the weights alone, (R,). By sorting and bags, so the same on CUDA at every call.
    """
    ordered, order = rows.sort()
    distinct, inverse, counts = torch.unique_consecutive(ordered, return_inverse=True, return_counts=True)
    chosen = None if weights is None else weights[order]
    starts = counts.cumsum(0) - counts
    values = F.embedding_bag(sources[order], source, starts, mode="sum", per_sample_weights=chosen)
    used = source.new_zeros(len(distinct)).index_add_(0, inverse, uses[order].to(source.dtype))
    alone = F.embedding_bag(torch.zeros_like(order), source.new_ones(1, 1), starts, mode="sum", per_sample_weights=chosen)
    return RowGradient(distinct, values, used), alone[:, 0]


def scores(vectors: WordVectors, pairs: Pairs, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of the positives (B,) and of the noise words (G, K) of each group."""
    center = vectors.center[pairs.centers]
    positive = (F.embedding(pairs.contexts, vectors.context) * F.embedding(pairs.owner, center)).sum(1)
    against = torch.bmm(F.embedding(noise, vectors.context), center[:, :, None])[:, :, 0]
    return positive + vectors.bias[pairs.contexts], against + vectors.bias[noise]


def gradients(
    vectors: WordVectors, pairs: Pairs, noise: Tensor, of_positive: Tensor, of_noise: Tensor
) -> tuple[RowGradient, RowGradient, RowGradient]:
    """Gradients of center, context and bias, from those of the scores.

    Args:
        of_positive: (B,) and of_noise: (G, K), derivatives of the loss by what `scores` gave.
    """
    groups = torch.arange(len(pairs.centers), device=noise.device)
    center = vectors.center[pairs.centers]
    starts = pairs.sizes.cumsum(0) - pairs.sizes
    pull = F.embedding_bag(pairs.contexts, vectors.context, starts, mode="sum", per_sample_weights=of_positive)
    push = F.embedding_bag(noise, vectors.context, mode="sum", per_sample_weights=of_noise)
    by_center, _ = _sum_by_row(pairs.centers, pull + push, groups, None, pairs.sizes)
    items = torch.cat([pairs.contexts, noise.flatten()])
    weights = torch.cat([of_positive, of_noise.flatten()])
    owners = torch.cat([pairs.owner, groups.repeat_interleave(noise.shape[1])])
    uses = torch.cat([torch.ones_like(pairs.contexts), pairs.sizes.repeat_interleave(noise.shape[1])])
    by_context, of_bias = _sum_by_row(items, center, owners, weights, uses)
    return by_center, by_context, RowGradient(by_context.rows, of_bias, by_context.uses)
