"""Time of a training step by vocabulary size: softmax over all words compared with NCE."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.nn.functional as F

from cl_core.losses import nce_terms
from cl_core.words.corpus import zipf_probabilities
from cl_core.words.model import WordVectors, gradients, scores
from cl_core.words.noise import AliasTable, draw_noise
from cl_core.words.pairs import Pairs

WARM_UP = 3
SIZES = (1000, 2000, 4000, 8000, 16_000, 32_000, 64_000)


@dataclasses.dataclass(frozen=True)
class Cost:
    """Median microseconds per pair, forward and backward without the update."""

    vocabulary: int
    softmax: float
    nce: float


def softmax_step(vectors: WordVectors, batch: Pairs) -> None:
    """Cross-entropy of each pair over the vocabulary, and its gradient."""
    center, context = vectors.center[batch.centers].requires_grad_(), vectors.context.detach().requires_grad_()
    loss = F.cross_entropy(center @ context.T + vectors.bias, batch.contexts)
    torch.autograd.grad(loss, (center, context))


def nce_step(vectors: WordVectors, batch: Pairs, table: AliasTable, noise_words: int, generator: torch.Generator) -> None:
    """A step of `TorchStep` without the update: draw noise, compute scores, loss and gradients."""
    noise, left_out = draw_noise(table, batch, noise_words, generator)
    positive_scores, noise_scores = (value.requires_grad_() for value in scores(vectors, batch, noise))
    positive, negative = nce_terms(positive_scores, noise_scores, 0.0, 0.0, left_out)
    loss = (positive.sum() + negative.sum()) / len(batch)
    gradients(vectors, batch, noise, *torch.autograd.grad(loss, (positive_scores, noise_scores)))


def _median_us(step: Callable[[], None], repeats: int, pairs: int) -> float:
    for _ in range(WARM_UP):  # the first steps allocate memory and start threads
        step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times) / pairs


def measure_cost(
    sizes: tuple[int, ...] = SIZES, dim: int = 100, noise_words: int = 5, pairs: int = 256, repeats: int = 7
) -> Iterator[Cost]:
    """Measure both for each vocabulary size on the CPU, in torch operations."""
    for size in sizes:
        generator = torch.Generator().manual_seed(0)
        center, context = torch.randn(2, size, dim, generator=generator)
        vectors = WordVectors(center, context, torch.zeros(size))
        centers, contexts = torch.randint(size, (2, pairs), generator=generator)
        batch = Pairs(centers, torch.ones(pairs, dtype=torch.long), contexts)
        table = AliasTable(zipf_probabilities(size))
        yield Cost(
            size,
            _median_us(partial(softmax_step, vectors, batch), repeats, pairs),
            _median_us(partial(nce_step, vectors, batch, table, noise_words, generator), repeats, pairs),
        )
