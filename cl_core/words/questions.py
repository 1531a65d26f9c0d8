"""What one asks of word vectors: how alike are two words, which are like this one, a is to b as c is to what."""

from __future__ import annotations

import dataclasses

import torch.nn.functional as F
from torch import Tensor

from cl_core.errors import UserError
from cl_core.words.model import WordVectors
from cl_core.words.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class Answer:
    """One word and its cosine with what was asked for."""

    word: str
    cosine: float


@dataclasses.dataclass(frozen=True)
class WordSpace:
    """Words as directions. unit: (V, D) float32, each of length 1."""

    vocabulary: Vocabulary
    unit: Tensor

    @staticmethod
    def of(vocabulary: Vocabulary, vectors: WordVectors, contexts: bool = True) -> WordSpace:
        """Center plus context vector of each word (Levy et al. 2015: it adds how often two words meet); or the center alone."""
        return WordSpace(vocabulary, F.normalize(vectors.center + vectors.context if contexts else vectors.center, dim=1))

    def cosine(self, first: str, second: str) -> float:
        """In [-1, 1].

        Raises:
            UserError: a word is not known; near spellings are named. The same holds for all questions.
        """
        a, b = (self.unit[self.vocabulary.number(word)] for word in (first, second))
        return float(a @ b)

    def similar(self, word: str, count: int) -> list[Answer]:
        """The `count` words with the highest cosine to `word`, itself left out."""
        number = self.vocabulary.number(word)
        return self._nearest(self.unit[number], [number], count)

    def analogy(self, positive: list[str], negative: list[str], count: int) -> list[Answer]:
        """The words nearest to the sum of `positive` minus that of `negative`, all of length 1 (Mikolov et al. 2013).

        king - man + woman: positive king and woman, negative man. The words asked with are left out.
        """
        if not positive:
            raise UserError("An analogy needs a word to start from, for example king - man + woman.")
        plus = [self.vocabulary.number(word) for word in positive]
        minus = [self.vocabulary.number(word) for word in negative]
        target = self.unit[plus].sum(0) - (self.unit[minus].sum(0) if minus else 0)
        return self._nearest(F.normalize(target, dim=0), [*plus, *minus], count)

    def _nearest(self, direction: Tensor, left_out: list[int], count: int) -> list[Answer]:
        cosines = self.unit @ direction
        cosines[left_out] = -2
        best = cosines.topk(min(count, len(cosines) - len(set(left_out))))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [Answer(self.vocabulary.words[number], cosine) for number, cosine in pairs]


def parse_analogy(terms: list[str]) -> tuple[list[str], list[str]]:
    """`king - man + woman` as the words to add and those to take away.

    Raises:
        UserError: it is not words with + and - between them.
    """
    parts = " ".join(terms).replace("+", " + ").replace(" - ", "  -  ").split()
    signs: dict[str, list[str]] = {"+": [], "-": []}
    sign, expected = "+", "word"
    for part in parts:
        if (part in signs) == (expected == "word"):
            raise UserError(f"{' '.join(terms)!r} is no analogy: write words with + and - between, such as king - man + woman.")
        if part in signs:
            sign, expected = part, "word"
        else:
            signs[sign].append(part)
            expected = "sign"
    if expected == "word":
        raise UserError(f"{' '.join(terms)!r} is no analogy: write words with + and - between, such as king - man + woman.")
    return signs["+"], signs["-"]
