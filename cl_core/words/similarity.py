"""Queries on word vectors: cosine of two words, similar words, analogies."""

from __future__ import annotations

import dataclasses

import torch.nn.functional as F
from torch import Tensor

from cl_core.errors import UserError, quoted
from cl_core.words.model import WordVectors
from cl_core.words.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class Answer:
    """A word and its cosine with the query."""

    word: str
    cosine: float


@dataclasses.dataclass(frozen=True)
class WordSpace:
    """Normalized word vectors.

    Attributes:
        unit: (V, D) float32, rows of length 1.
    """

    vocabulary: Vocabulary
    unit: Tensor

    @staticmethod
    def of(vocabulary: Vocabulary, vectors: WordVectors, contexts: bool = True) -> WordSpace:
        """Normalize the sum of center and context vectors (Levy et al. 2015); with `contexts=False` the center vectors."""
        return WordSpace(vocabulary, F.normalize(vectors.center + vectors.context if contexts else vectors.center, dim=1))

    def cosine(self, first: str, second: str) -> float:
        """Cosine of two words, in [-1, 1].

        Raises:
            UserError: a word is not in the vocabulary. The other queries raise the same error.
        """
        a, b = (self.unit[self.vocabulary.index_of(word)] for word in (first, second))
        return float(a @ b)

    def similar(self, word: str, count: int) -> list[Answer]:
        """The `count` words with the highest cosine to `word`, without the word itself."""
        number = self.vocabulary.index_of(word)
        return self._nearest(self.unit[number], [number], count)

    def analogy(self, positive: list[str], negative: list[str], count: int) -> list[Answer]:
        """The words closest to the sum of `positive` minus the sum of `negative` (Mikolov et al. 2013, 3CosAdd).

        king - man + woman: positive king and woman, negative man. The given words are excluded.
        """
        if not positive:
            raise UserError("words.empty_analogy")
        plus = [self.vocabulary.index_of(word) for word in positive]
        minus = [self.vocabulary.index_of(word) for word in negative]
        target = self.unit[plus].sum(0) - (self.unit[minus].sum(0) if minus else 0)
        return self._nearest(F.normalize(target, dim=0), [*plus, *minus], count)

    def _nearest(self, direction: Tensor, excluded: list[int], count: int) -> list[Answer]:
        cosines = self.unit @ direction
        cosines[excluded] = -2
        best = cosines.topk(min(count, len(cosines) - len(set(excluded))))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [Answer(self.vocabulary.words[number], cosine) for number, cosine in pairs]


def parse_analogy(terms: list[str]) -> tuple[list[str], list[str]]:
    """Parse `king - man + woman` into the words to add and the words to subtract.

    Raises:
        UserError: it is not a sequence of words separated by + and -.
    """
    given = " ".join(terms)
    parts = given.replace("+", " + ").split()
    signs: dict[str, list[str]] = {"+": [], "-": []}
    sign, expected = "+", "word"
    for part in parts:
        if (part in signs) == (expected == "word"):
            raise UserError("words.no_analogy", given=quoted(given))
        if part in signs:
            sign, expected = part, "word"
        else:
            signs[sign].append(part)
            expected = "sign"
    if expected == "word":
        raise UserError("words.no_analogy", given=quoted(given))
    return signs["+"], signs["-"]
