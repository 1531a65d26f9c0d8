"""Skip-gram pairs of a center and a context word."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

from cl_core.words.corpus import Corpus

CHUNK_WORDS = 1_000_000  # words
Span = tuple[int, int]  # the first word and one past the last


@dataclasses.dataclass(frozen=True)
class Stream:
    """The M words of one epoch, in order.

    Attributes:
        ids: (M,) int32, word indices.
        sentence: (M,) int32, sentence indices, ascending.
        windows: (M,) uint8, number of context words on each side.
    """

    ids: Tensor
    sentence: Tensor
    windows: Tensor

    def __len__(self) -> int:
        return len(self.ids)


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of a center and a context word, in groups of one center, which share noise words.

    Attributes:
        centers: (G,) int64, the center of each group.
        sizes: (G,) int64 >= 1, number of pairs of each group.
        contexts: (B,) int64, ordered by group.
    """

    centers: Tensor
    sizes: Tensor
    contexts: Tensor

    def __len__(self) -> int:
        return len(self.contexts)

    @cached_property
    def owner(self) -> Tensor:
        """The group of each pair, (B,) int64."""
        return torch.arange(len(self.centers), device=self.centers.device).repeat_interleave(
            self.sizes, output_size=len(self.contexts)
        )

    def ungrouped(self) -> Pairs:
        """The same pairs, each in its own group."""
        return Pairs(self.centers[self.owner], torch.ones_like(self.contexts), self.contexts)


def read_epoch(corpus: Corpus, keep_prob: Tensor, window: int, dynamic: bool, generator: torch.Generator) -> Stream:
    """Shuffle the sentences, subsample frequent words, and draw the window of each word.

    Args:
        keep_prob: (V,) float32, probability of keeping an occurrence of each word.
        dynamic: draw the windows uniformly from 1 to `window`, as word2vec; False uses `window`.
    """
    device = generator.device
    lengths = corpus.lengths.to(device, torch.long)
    order = torch.randperm(len(lengths), generator=generator, device=device)
    starts, lengths = (lengths.cumsum(0) - lengths)[order], lengths[order]
    ends = lengths.cumsum(0)
    edges = torch.searchsorted(ends, torch.arange(0, len(corpus.ids), CHUNK_WORDS, device=device)).unique().tolist()
    text, parts = corpus.ids.to(device), []
    for first, last in pairwise([*edges, len(order)]):  # whole sentences, so that memory stays small
        of_word = torch.arange(first, last, device=device).repeat_interleave(lengths[first:last])
        position = torch.arange(len(of_word), device=device) + (ends[first] - lengths[first])
        ids = text[position - (ends - lengths - starts)[of_word]]
        kept = torch.rand(len(ids), generator=generator, device=device) < keep_prob[ids]
        ids, sentence = ids[kept], of_word[kept].int()
        windows = torch.full_like(ids, window, dtype=torch.uint8)
        if dynamic:
            windows = torch.randint(1, window + 1, (len(ids),), generator=generator, device=device, dtype=torch.uint8)
        parts.append((ids, sentence, windows))
    ids, sentence, windows = (torch.cat(values) for values in zip(*parts, strict=True))
    return Stream(ids, sentence, windows)


def pairs(stream: Stream, start: int, stop: int, window: int) -> Pairs:
    """The pairs of the words `start` to `stop` of a stream as centers; words without a context have no group.

    Args:
        window: the largest window of the stream.
    """
    device = stream.ids.device
    offsets = torch.cat([torch.arange(-window, 0, device=device), torch.arange(1, window + 1, device=device)])
    other = torch.arange(start, stop, device=device)[:, None] + offsets
    valid = (offsets.abs() <= stream.windows[start:stop, None]) & (other >= 0) & (other < len(stream))
    other = other.clamp(0, max(0, len(stream) - 1))
    valid &= stream.sentence[other] == stream.sentence[start:stop, None]
    sizes = valid.sum(1)
    has_pairs = sizes > 0
    return Pairs(stream.ids[start:stop][has_pairs].long(), sizes[has_pairs], stream.ids[other[valid]].long())


def count_pairs(stream: Stream, window: int, chunk: int = 100_000) -> int:
    """Number of pairs of a stream."""
    return sum(len(pairs(stream, i, min(i + chunk, len(stream)), window)) for i in range(0, len(stream), chunk))
