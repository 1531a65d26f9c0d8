"""Texts as sentences of word numbers: WordNet's entries, the sources' synthetic words, or the user's own text."""

from __future__ import annotations

import dataclasses
import lzma
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from cl_core.errors import UserError
from cl_core.system.paths import ASSETS
from cl_core.words.vocabulary import Vocabulary

SENTENCE_END = re.compile(r"[.!?。！？]+|\n\s*\n")
EXPONENT = 0.75  # of the synthetic corpus: a word's probability is proportional to 1 / rank ** EXPONENT

Sentences = list[list[str]]


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A text as numbers.

    ids: (N,) int32, each word's place in the vocabulary; lengths: (S,) int32 of the sentences, adding up to N.
    total: words of the text before rare ones were left out.
    """

    vocabulary: Vocabulary
    ids: Tensor
    lengths: Tensor
    total: int


@cache
def _word() -> re.Pattern[str]:
    """A Han character is a word of its own: such texts have no spaces. Elsewhere letters with their marks, joined by - or '."""
    marks = "".join(map(chr, (code for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M")))
    letters = rf"(?:[^\W\d_㐀-鿿][{marks}]*)+"
    return re.compile(rf"[㐀-鿿]|{letters}(?:['’-]{letters})*")


def find_words(text: str) -> list[str]:
    """The words of a sentence, in lower case and composed (NFC); numbers and punctuation are left out."""
    return _word().findall(unicodedata.normalize("NFC", text.lower()))


def split_words(text: str) -> Sentences:
    """`find_words`, sentence by sentence."""
    return [words for part in SENTENCE_END.split(text) if (words := find_words(part))]


def wordnet() -> Sentences:
    """Every synset of WordNet 3.0: its words and their gloss, one sentence each."""
    text = lzma.decompress((ASSETS / "wordnet" / "glosses.txt.xz").read_bytes()).decode()
    return [find_words(line) for line in text.splitlines()]


def zipf_probabilities(count: int, exponent: float = EXPONENT) -> Tensor:
    """1 / rank ** exponent for ranks 1 to count, normalized: (count,) float64."""
    weights = torch.arange(1, count + 1, dtype=torch.float64) ** -exponent
    return weights / weights.sum()


def synthetic(count: int, length: int, seed: int) -> Sentences:
    """`length` words drawn from `count` with `zipf_probabilities`, as one sentence: frequencies without any meaning."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(zipf_probabilities(count), length, replacement=True, generator=generator)
    return [[f"word{rank}" for rank in (drawn + 1).tolist()]]


def read_text(path: Path) -> str:
    """The content of a UTF-8 text file.

    Raises:
        UserError: there is no such file, or it holds something else than text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give wordnet, synthetic, or a text file.") from None
    return decode_text(content, str(path))


def decode_text(content: bytes, name: str) -> str:
    """UTF-8 as text. Raises UserError where it is something else; `name` says what was read."""
    try:
        if b"\0" not in content:  # which no text has
            return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    raise UserError(f"{name} is not a text in UTF-8: give a plain text file.")


def build_corpus(sentences: Iterable[list[str]], min_count: int, vocabulary_size: int, max_words: int) -> Corpus:
    """Count the words, keep the frequent ones, and number them.

    Rare words are taken out before windows are laid, as in word2vec, so their neighbors move together.

    Raises:
        UserError: the text is empty, has more than `max_words` words, or fewer than two that are frequent enough.
    """
    kept = list(sentences)
    total = sum(map(len, kept))
    if total == 0:
        raise UserError("The text has no words: give one with at least two different words.")
    if total > max_words:
        raise UserError(f"The text has {total:,} words, more than max_words = {max_words:,}: shorten it, or raise max_words.")
    vocabulary = Vocabulary.count(chain.from_iterable(kept), min_count, vocabulary_size)
    if len(vocabulary) < 2:
        found = "only one word that occurs" if len(vocabulary) else "no word that occurs"
        raise UserError(f"The text has {found} {min_count} times or more: give a longer text, or a smaller min_count.")
    index = vocabulary.index
    numbered = [[index[word] for word in words if word in index] for words in kept]
    lengths = torch.tensor([len(words) for words in numbered], dtype=torch.int32)
    ids = torch.tensor(list(chain.from_iterable(numbered)), dtype=torch.int32)
    return Corpus(vocabulary, ids, lengths[lengths > 0], total)
