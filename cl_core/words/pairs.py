"""Skip-gram pairs: each word with those around it."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import torch
from torch import Tensor

from cl_core.words.corpus import Corpus


@dataclasses.dataclass(frozen=True)
class Stream:
    """The words of one epoch, in the order they are read; M words.

    ids: (M,) int64; sentence: (M,) int64, equal within a sentence; reach: (M,) int64, words looked at on each side.
    """

    ids: Tensor
    sentence: Tensor
    reach: Tensor

    def __len__(self) -> int:
        return len(self.ids)


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of a center and a context word, in groups that share a center (and its noise words).

    centers: (G,) int64, one a group; sizes: (G,) int64 >= 1, pairs of each group; contexts: (B,) int64, group after group.
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

    def alone(self) -> Pairs:
        """The same pairs, each a group of its own."""
        return Pairs(self.centers[self.owner], torch.ones_like(self.contexts), self.contexts)


def read_epoch(corpus: Corpus, keep: Tensor, window: int, dynamic: bool, generator: torch.Generator) -> Stream:
    """Shuffle the sentences, thin out frequent words, and draw how far each word looks.

    Args:
        keep: (V,) chance of each word's occurrences to stay.
        dynamic: draw the reach of each word from 1 to `window`, as word2vec does, so near words count more.
    """
    device = generator.device
    lengths = corpus.lengths.to(device, torch.long)
    order = torch.randperm(len(lengths), generator=generator, device=device)
    starts = lengths.cumsum(0) - lengths
    shuffled = lengths[order]
    shift = starts[order] - (shuffled.cumsum(0) - shuffled)
    ids = corpus.ids.to(device)[torch.arange(len(corpus.ids), device=device) + shift.repeat_interleave(shuffled)].long()
    sentence = torch.arange(len(order), device=device).repeat_interleave(shuffled)
    stays = torch.rand(len(ids), generator=generator, device=device) < keep[ids]
    ids, sentence = ids[stays], sentence[stays]
    if dynamic:
        reach = torch.randint(1, window + 1, (len(ids),), generator=generator, device=device)
    else:
        reach = torch.full_like(ids, window)
    return Stream(ids, sentence, reach)


def pairs(stream: Stream, start: int, stop: int, window: int) -> Pairs:
    """The words `start` to `stop`, each with those in its reach and sentence; words without any are left out."""
    device = stream.ids.device
    offsets = torch.cat([torch.arange(-window, 0, device=device), torch.arange(1, window + 1, device=device)])
    other = torch.arange(start, stop, device=device)[:, None] + offsets
    counted = (offsets.abs() <= stream.reach[start:stop, None]) & (other >= 0) & (other < len(stream))
    other = other.clamp(0, max(0, len(stream) - 1))
    counted &= stream.sentence[other] == stream.sentence[start:stop, None]
    sizes = counted.sum(1)
    has_pairs = sizes > 0
    return Pairs(stream.ids[start:stop][has_pairs], sizes[has_pairs], stream.ids[other[counted]])


def count_pairs(stream: Stream, window: int, chunk: int = 100_000) -> int:
    """How many pairs the stream has."""
    return sum(len(pairs(stream, i, min(i + chunk, len(stream)), window)) for i in range(0, len(stream), chunk))
