"""Texts as sentences of word indices: WordNet's glosses, a synthetic text, or a text file."""

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

from cl_core.errors import UserError, quoted
from cl_core.system.paths import ASSETS
from cl_core.words.vocabulary import Vocabulary

SENTENCE_END = re.compile(r"[.!?。！？]+|\n\s*\n")
EXPONENT = 0.75  # of the synthetic corpus: a word's probability is proportional to 1 / rank ** EXPONENT
READ_AT_ONCE = 2**24  # bytes

Sentences = list[list[str]]


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A text as word indices.

    Attributes:
        ids: (N,) int32, the index of each word in the vocabulary.
        lengths: (S,) int32, the lengths of the sentences, with sum N.
        total: number of words before rare ones were removed.
    """

    vocabulary: Vocabulary
    ids: Tensor
    lengths: Tensor
    total: int


@cache
def _word() -> re.Pattern[str]:
    """A Han character, as Chinese has no spaces between words; or letters with their combining marks, joined by - or '."""
    marks = "".join(map(chr, (code for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M")))
    letters = rf"(?:[^\W\d_㐀-鿿][{marks}]*)+"
    return re.compile(rf"[㐀-鿿]|{letters}(?:['’-]{letters})*")


def tokenize(text: str) -> list[str]:
    """The words of a sentence in lower case, normalized to NFC, without numbers and punctuation."""
    return _word().findall(unicodedata.normalize("NFC", text.lower()))


def split_sentences(text: str) -> Sentences:
    """The words of each sentence; sentences without words are left out."""
    return [words for part in SENTENCE_END.split(text) if (words := tokenize(part))]


def wordnet() -> Sentences:
    """The synsets of WordNet 3.0, one sentence each: its words and their gloss."""
    text = lzma.decompress((ASSETS / "wordnet" / "glosses.txt.xz").read_bytes()).decode()
    return [tokenize(line) for line in text.splitlines()]


def zipf_probabilities(count: int, exponent: float = EXPONENT) -> Tensor:
    """1 / rank ** exponent for ranks 1 to count, normalized: (count,) float64."""
    weights = torch.arange(1, count + 1, dtype=torch.float64) ** -exponent
    return weights / weights.sum()


def synthetic(count: int, length: int, seed: int) -> Sentences:
    """One sentence of `length` words drawn independently from `count` words with `zipf_probabilities`."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(zipf_probabilities(count), length, replacement=True, generator=generator)
    return [[f"word{rank}" for rank in (drawn + 1).tolist()]]


def read_text(path: Path) -> str:
    """The content of a UTF-8 text file.

    Raises:
        UserError: the file cannot be read or is not a text.
    """
    parts = []
    try:
        with path.open("rb") as file:
            while part := file.read(READ_AT_ONCE):
                parts.append(part)
                if b"\0" in part:  # such as /dev/zero, which never ends
                    break
    except OSError as error:
        raise UserError("words.unreadable", path=quoted(path), reason=quoted(error.strerror)) from None
    return decode_text(b"".join(parts), quoted(path))


def decode_text(content: bytes, name: str) -> str:
    """Decode UTF-8.

    Args:
        name: of the source, for the message.

    Raises:
        UserError: the content is not UTF-8.
    """
    try:
        if b"\0" not in content:
            return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    raise UserError("words.not_utf8", name=name)


def build_corpus(sentences: Iterable[list[str]], min_count: int, vocabulary_size: int, max_words: int) -> Corpus:
    """Build the vocabulary and encode the text.

    Rare words are removed before pairs are made, as in word2vec, so that their neighbors become adjacent.

    Raises:
        UserError: the text is empty, has more than `max_words` words, or fewer than two frequent enough words.
    """
    texts = list(sentences)
    total = sum(map(len, texts))
    if total == 0:
        raise UserError("words.no_words")
    if total > max_words:
        raise UserError("words.too_long", total=f"{total:,}", most=f"{max_words:,}")
    vocabulary = Vocabulary.count(chain.from_iterable(texts), min_count, vocabulary_size)
    if len(vocabulary) == 0:
        raise UserError("words.no_frequent_word", min_count=min_count)
    if len(vocabulary) == 1:
        raise UserError("words.one_frequent_word", min_count=min_count)
    index = vocabulary.index
    encoded = [[index[word] for word in words if word in index] for words in texts]
    lengths = torch.tensor([len(words) for words in encoded], dtype=torch.int32)
    ids = torch.tensor(list(chain.from_iterable(encoded)), dtype=torch.int32)
    return Corpus(vocabulary, ids, lengths[lengths > 0], total)
