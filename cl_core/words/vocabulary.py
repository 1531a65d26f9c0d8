"""The vocabulary, and the distributions derived from its word counts."""

from __future__ import annotations

import dataclasses
import difflib
import unicodedata
from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor

from cl_core.errors import UserError, quoted

SUGGESTIONS = 3  # similar spellings of an unknown word


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Words and their counts.

    Attributes:
        words: V words, the most frequent first.
        counts: (V,) int64, occurrences in the text.
    """

    words: list[str]
    counts: Tensor

    @staticmethod
    def most_frequent(counts: Mapping[str, int], min_count: int, size: int) -> Vocabulary:
        """The `size` most frequent words that occur at least `min_count` times; ties in alphabetical order."""
        counted = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        frequent = [(word, count) for word, count in counted[:size] if count >= min_count]
        return Vocabulary([word for word, _ in frequent], torch.tensor([count for _, count in frequent], dtype=torch.int64))

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def word_to_index(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def index_of(self, word: str) -> int:
        """The index of a word; upper and lower case are the same.

        Raises:
            UserError: it is not in the vocabulary.
        """
        normalized = unicodedata.normalize("NFC", word.strip().lower())
        if normalized in self.word_to_index:
            return self.word_to_index[normalized]
        similar = difflib.get_close_matches(normalized, self.words, SUGGESTIONS)
        if similar:
            raise UserError("words.unknown_word_suggested", word=quoted(word), suggestions=", ".join(similar))
        raise UserError("words.unknown_word", word=quoted(word))


def noise_distribution(counts: Tensor, power: float) -> Tensor:
    """q proportional to counts ** power, (V,) float64 (Mikolov et al. 2013); power 0 is uniform, 1 the word frequency."""
    weights = counts.double() ** power
    return weights / weights.sum()


def keep_probability(counts: Tensor, threshold: float) -> Tensor:
    """Probability of keeping an occurrence of each word when frequent words are subsampled, (V,) float32.

    min(1, (sqrt(f / t) + 1) t / f) for relative frequency f and threshold t, as in the code of word2vec; the paper has
    sqrt(t / f). A threshold of 0 keeps all.
    """
    if threshold == 0:
        return torch.ones(len(counts))
    ratio = counts.double() / counts.sum() / threshold
    return ((ratio.sqrt() + 1) / ratio).clamp(max=1).float()
