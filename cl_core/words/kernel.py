"""A compiled step of SGD on word pairs for the CPU.

Equal to the step in torch operations, its reference, up to rounding, for the same pairs and noise words. Torch makes a tensor
of every intermediate result and sorts the rows to be updated; here each row is read while it is in the cache. Numba compiles
it at first use.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cl_core.system.compiled import compiled, compiled_with_nan, prefetch
from cl_core.training.randomness import STEP_STREAM, seeded_generator
from cl_core.words.config import WordConfig
from cl_core.words.model import WordVectors
from cl_core.words.noise import REDRAWS, AliasTable
from cl_core.words.pairs import Span, Stream

f32 = np.float32
u64 = np.uint64
LINE = 16  # float32 in a line of the cache, 64 bytes
GOLDEN, MIX_1, MIX_2 = u64(0x9E3779B97F4A7C15), u64(0xBF58476D1CE4E5B9), u64(0x94D049BB133111EB)


@compiled
def _random(seed, number):  # type: ignore[no-untyped-def]
    """64 random bits: output `number` of SplitMix64 (Steele et al. 2014) seeded with `seed`; both uint64."""
    z = seed + (number + u64(1)) * GOLDEN
    z = (z ^ (z >> u64(30))) * MIX_1
    z = (z ^ (z >> u64(27))) * MIX_2
    return z ^ (z >> u64(31))


@compiled
def _make_pairs(ids, sentence, windows, start, stop, grouped, centers, starts, contexts):  # type: ignore[no-untyped-def]
    """The pairs of the words `start` to `stop` of a stream, like `pairs.pairs`.

    Writes the center of each group, the first pair of each group (and one past the last), and the context of each pair.
    Returns the number of groups.
    """
    groups, count = 0, 0
    starts[0] = 0
    for i in range(start, stop):
        window = windows[i]
        before = count
        for j in range(max(0, i - window), min(len(ids), i + window + 1)):
            if j != i and sentence[j] == sentence[i]:
                contexts[count] = ids[j]
                count += 1
                if not grouped:
                    centers[groups] = ids[i]
                    groups += 1
                    starts[groups] = count
        if grouped and count > before:
            centers[groups] = ids[i]
            groups += 1
            starts[groups] = count
    return groups


@compiled
def _draw_noise(accept, alias, starts, contexts, noise, seed):  # type: ignore[no-untyped-def]
    """Noise words of each group, like `noise.draw_noise`, into noise (G, K)."""
    words, draws = u64(len(accept)), REDRAWS + 1
    for group in range(len(noise)):
        for slot in range(noise.shape[1]):
            for attempt in range(draws):
                bits = _random(seed, u64((group * noise.shape[1] + slot) * draws + attempt))
                column = np.int64(((bits >> u64(32)) * words) >> u64(32))
                accepted = f32(bits & u64(0xFFFFFFFF)) * f32(2.0**-32) < accept[column]
                word = column if accepted else alias[column]
                is_positive = False
                for pair in range(starts[group], starts[group + 1]):
                    is_positive |= contexts[pair] == word
                if not is_positive:
                    break
            noise[group, slot] = word


@compiled_with_nan
def _logistic(logit):  # type: ignore[no-untyped-def]
    """The logistic function, and 1 + exp(-|logit|)."""
    small = np.exp(-abs(logit))
    total = f32(1) + small
    return (f32(1) if logit >= f32(0) else small) / total, total


@compiled_with_nan
def _dot(left, right):  # type: ignore[no-untyped-def]
    total = f32(0)
    for d in range(len(left)):
        total += left[d] * right[d]
    return total


@compiled_with_nan
def _subtract(row, factor, other):  # type: ignore[no-untyped-def]
    for d in range(len(row)):
        row[d] -= factor * other[d]


@compiled
def _prefetch_group(center, context, batch, group):  # type: ignore[no-untyped-def]
    """Load the vectors of a group into the cache: they lie scattered in tables that are larger than it."""
    centers, starts, contexts, noise = batch
    if group < len(centers):
        for d in range(0, center.shape[1], LINE):
            prefetch(center, centers[group], d)  # type: ignore[call-arg]
        for pair in range(starts[group], starts[group + 1]):
            for d in range(0, center.shape[1], LINE):
                prefetch(context, contexts[pair], d)  # type: ignore[call-arg]
        for slot in range(noise.shape[1]):
            for d in range(0, center.shape[1], LINE):
                prefetch(context, noise[group, slot], d)  # type: ignore[call-arg]


@compiled_with_nan
def _score(center, context, bias, log_kq, batch, of_pairs, of_noise, from_center):  # type: ignore[no-untyped-def]
    """The losses of a batch and their derivatives.

    Args:
        of_pairs, of_noise: (B,) and (G, K) float32, written: derivatives of the summed loss by the scores.
        from_center: (G, D) float32, written: derivatives by the center vector of each group.

    Returns:
        Positive and negative loss, positives and noise words classified correctly, noise words, pairs.
    """
    centers, starts, contexts, noise = batch
    positive, negative, hits, rejected, kept = 0.0, 0.0, 0, 0, 0
    for group in range(len(centers)):
        c, gradient = center[centers[group]], from_center[group]
        _prefetch_group(center, context, batch, group + 1)
        size = starts[group + 1] - starts[group]
        gradient[:] = f32(0)
        product = 1.0  # of 1 + exp(-|logit|): one logarithm for many scores
        for pair in range(starts[group], starts[group + 1]):
            w = contexts[pair]
            row = context[w]
            logit = _dot(c, row) + bias[w] - log_kq[w]
            probability, total = _logistic(logit)
            positive += max(f32(0), -logit)
            product *= total
            if product > 1e200:
                positive += np.log(product)
                product = 1.0
            hits += logit > f32(0)
            of_pairs[pair] = probability - f32(1)
            _subtract(gradient, f32(1) - probability, row)
        positive += np.log(product)
        product = 1.0
        for slot in range(noise.shape[1]):
            w = noise[group, slot]
            uses = size
            for pair in range(starts[group], starts[group + 1]):
                uses -= contexts[pair] == w
            row = context[w]
            logit = _dot(c, row) + bias[w] - log_kq[w]
            probability, total = _logistic(logit)
            negative += uses * max(f32(0), logit)
            if uses == size and product < 1e200:
                product *= total
            else:
                negative += uses * np.log(total)
            rejected += uses * (logit <= f32(0))
            kept += uses
            of_noise[group, slot] = f32(uses) * probability
            _subtract(gradient, -of_noise[group, slot], row)
        negative += size * np.log(product)
    return positive, negative, hits, rejected, kept, len(contexts)


@compiled_with_nan
def _rates(batch, of_pairs, of_noise, by_center, uses, lr, limit):  # type: ignore[no-untyped-def]
    """Multiply derivatives by the learning rate of their row, lr / (1 + n / limit) for a row in n pairs, as `RowSGD`.

    Args:
        by_center: (G,) float32, written: the learning rate of the center of each group.
        uses: (V,) float32 zeros, work space.
    """
    centers, starts, contexts, noise = batch
    groups = len(centers)
    for group in range(groups):
        uses[centers[group]] += starts[group + 1] - starts[group]
    for group in range(groups):
        by_center[group] = lr / (f32(1) + uses[centers[group]] / limit)
    for group in range(groups):
        uses[centers[group]] = f32(0)
    for group in range(groups):
        for pair in range(starts[group], starts[group + 1]):
            uses[contexts[pair]] += f32(1)
        for slot in range(noise.shape[1]):
            uses[noise[group, slot]] += starts[group + 1] - starts[group]
    for group in range(groups):
        for pair in range(starts[group], starts[group + 1]):
            of_pairs[pair] *= lr / (f32(1) + uses[contexts[pair]] / limit)
        for slot in range(noise.shape[1]):
            of_noise[group, slot] *= lr / (f32(1) + uses[noise[group, slot]] / limit)
    for group in range(groups):
        for pair in range(starts[group], starts[group + 1]):
            uses[contexts[pair]] = f32(0)
        for slot in range(noise.shape[1]):
            uses[noise[group, slot]] = f32(0)


@compiled_with_nan
def _update(center, context, bias, batch, of_pairs, of_noise, by_center, from_center, with_bias):  # type: ignore[no-untyped-def]
    """Subtract the gradients times their rates: from the context vectors by the old centers, then from the centers."""
    centers, starts, contexts, noise = batch
    for group in range(len(centers)):
        _prefetch_group(center, context, batch, group + 1)
        c = center[centers[group]]
        for pair in range(starts[group], starts[group + 1]):
            w, rate = contexts[pair], of_pairs[pair]
            _subtract(context[w], rate, c)
            if with_bias:
                bias[w] -= rate
        for slot in range(noise.shape[1]):
            w, rate = noise[group, slot], of_noise[group, slot]
            _subtract(context[w], rate, c)
            if with_bias:
                bias[w] -= rate
    for group in range(len(centers)):
        _subtract(center[centers[group]], by_center[group], from_center[group])


class Batch(NamedTuple):
    """Pairs in groups of one center, and their noise words.

    Attributes:
        centers: (G,) int64, the center of each group.
        starts: (G + 1,) int64, the first pair of each group; the last value is B.
        contexts: (B,) int64, ordered by group.
        noise: (G, K) int64, the noise words of each group.
    """

    centers: np.ndarray
    starts: np.ndarray
    contexts: np.ndarray
    noise: np.ndarray


class CompiledStep:
    """A `Step` of SGD without clipping on the CPU; pairs and noise words of the next one are drawn in another thread.

    Args:
        noise: the distribution of the noise words.
        log_kq: (V,) float32, subtracted from the scores.
    """

    def __init__(self, config: WordConfig, vectors: WordVectors, noise: AliasTable, log_kq: Tensor) -> None:
        self._config = config
        self._tables = tuple(table.numpy() for table in vectors.tensors().values())
        self._accept, self._alias, self._log_kq = noise.accept.numpy(), noise.alias.numpy(), log_kq.numpy()
        self._uses = np.zeros(len(vectors), np.float32)
        self._from_center = np.empty((0, config.dim), np.float32)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="words")
        self._ahead: tuple[Stream, Span, int, Future[Batch]] | None = None

    def __call__(self, stream: Stream, span: Span, number: int, lr: float, following: Span | None) -> Tensor:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] is stream and ahead[1:3] == (span, number):
            batch = ahead[3].result()
        else:
            batch = self.draw(stream, span, number)
        if following is not None:
            self._ahead = stream, following, number + 1, self._thread.submit(self.draw, stream, following, number + 1)
        return torch.tensor(self.update(batch, lr), dtype=torch.float64)

    def draw(self, stream: Stream, span: Span, number: int) -> Batch:
        """The pairs of step `number` and their noise words."""
        start, stop = span
        most = 2 * self._config.window * (stop - start)
        grouped = self._config.shared_noise
        centers = np.empty(stop - start if grouped else most, np.int64)
        starts, contexts = np.empty(len(centers) + 1, np.int64), np.empty(most, np.int64)
        fields = stream.ids.numpy(), stream.sentence.numpy(), stream.windows.numpy()
        groups = _make_pairs(*fields, start, stop, grouped, centers, starts, contexts)
        starts, contexts = starts[: groups + 1], contexts[: starts[groups]]
        noise = np.empty((groups, self._config.noise_words), np.int64)
        generator = seeded_generator(torch.device("cpu"), self._config.seed, STEP_STREAM, number)
        seed = torch.randint(2**63 - 1, (), generator=generator)
        _draw_noise(self._accept, self._alias, starts, contexts, noise, u64(int(seed)))
        return Batch(centers[:groups], starts, contexts, noise)

    def update(self, batch: Batch, lr: float) -> tuple[float, ...]:
        """Update the vectors by the loss of a batch.

        Returns:
            Positive and negative loss, positives and noise words classified correctly, noise words, pairs.
        """
        groups = len(batch.centers)
        of_pairs, of_noise = np.empty(len(batch.contexts), np.float32), np.empty(batch.noise.shape, np.float32)
        if groups > len(self._from_center):
            self._from_center = np.empty((groups, self._config.dim), np.float32)
        from_center, by_center = self._from_center[:groups], np.empty(groups, np.float32)
        sums = _score(*self._tables, self._log_kq, batch, of_pairs, of_noise, from_center)
        _rates(batch, of_pairs, of_noise, by_center, self._uses, f32(lr), f32(self._config.repeat_limit))
        _update(*self._tables, batch, of_pairs, of_noise, by_center, from_center, self._config.bias)
        found: tuple[float, ...] = sums
        return found
