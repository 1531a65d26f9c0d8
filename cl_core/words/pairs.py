"""Skip-gram pairs of a center and a context word."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import torch
from torch import Tensor

from cl_core.words.corpus import Corpus


@dataclasses.dataclass(frozen=True)
class Stream:
    """The M words of one epoch, in order.

    Attributes:
        ids: (M,) int64, word indices.
        sentence: (M,) int64, sentence indices, ascending.
        windows: (M,) int64, number of context words on each side.
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
    starts = lengths.cumsum(0) - lengths
    shuffled = lengths[order]
    shift = starts[order] - (shuffled.cumsum(0) - shuffled)
    ids = corpus.ids.to(device)[torch.arange(len(corpus.ids), device=device) + shift.repeat_interleave(shuffled)].long()
    sentence = torch.arange(len(order), device=device).repeat_interleave(shuffled)
    kept = torch.rand(len(ids), generator=generator, device=device) < keep_prob[ids]
    ids, sentence = ids[kept], sentence[kept]
    if dynamic:
        windows = torch.randint(1, window + 1, (len(ids),), generator=generator, device=device)
    else:
        windows = torch.full_like(ids, window)
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
    return Pairs(stream.ids[start:stop][has_pairs], sizes[has_pairs], stream.ids[other[valid]])


def count_pairs(stream: Stream, window: int, chunk: int = 100_000) -> int:
    """Number of pairs of a stream."""
    return sum(len(pairs(stream, i, min(i + chunk, len(stream)), window)) for i in range(0, len(stream), chunk))
