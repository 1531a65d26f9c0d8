"""The words a model knows, the most frequent first, and the distributions that come from their counts."""

from __future__ import annotations

import dataclasses
import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cached_property

import torch
from torch import Tensor

from cl_core.errors import UserError

NEAR = 3  # spellings suggested for an unknown word


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """words: the most frequent first; counts: (V,) int64, how often each occurs."""

    words: list[str]
    counts: Tensor

    @staticmethod
    def count(words: Iterable[str], min_count: int, size: int) -> Vocabulary:
        """The `size` most frequent words that occur at least `min_count` times; ties in alphabetical order."""
        counted = sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))
        kept = [(word, count) for word, count in counted[:size] if count >= min_count]
        return Vocabulary([word for word, _ in kept], torch.tensor([count for _, count in kept], dtype=torch.int64))

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def index(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def number(self, word: str) -> int:
        """The place of a word, whatever its case.

        Raises:
            UserError: it is not in the vocabulary; near spellings are named.
        """
        asked = unicodedata.normalize("NFC", word.strip().lower())
        found = self.index.get(asked)
        if found is not None:
            return found
        near = difflib.get_close_matches(asked, self.words, NEAR)
        hint = f"did you mean {', '.join(near)}?" if near else "try another word."
        raise UserError(f"This model does not know {word.strip()!r}; {hint}")


def noise_distribution(counts: Tensor, power: float) -> Tensor:
    """q proportional to counts ** power, (V,) float64: 0 is uniform, 1 the text's own frequencies (Mikolov et al. 2013)."""
    weights = counts.double() ** power
    return weights / weights.sum()


def keep_probability(counts: Tensor, threshold: float) -> Tensor:
    """Chance of each word's occurrences to stay, (V,) float32, where frequent words are thinned out.

    (sqrt(f / t) + 1) t / f for frequency f and threshold t, at most 1, as word2vec's program has it (its
    paper has 1 - sqrt(t / f)); a threshold of 0 keeps everything.
    """
    if threshold == 0:
        return torch.ones(len(counts))
    share = counts.double() / counts.sum() / threshold
    return ((share.sqrt() + 1) / share).clamp(max=1).float()
