"""Texts as sentences of word indices: WordNet's glosses, a synthetic text, or a text file."""

from __future__ import annotations

import codecs
import dataclasses
import lzma
import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cl_core.errors import UserError, quoted
from cl_core.system.paths import ASSETS
from cl_core.words.vocabulary import Vocabulary

SENTENCE_END = re.compile(r"[.!?。！？]+|\n\s*\n")
EXPONENT = 0.75  # of the synthetic corpus: a word's probability is proportional to 1 / rank ** EXPONENT
READ_BYTES = 2**20  # bytes
MAX_SENTENCE = 10_000  # words, as in gensim
MAX_WORD = 2**16  # characters
LAST_HAN = re.compile(r"[㐀-鿿][^㐀-鿿]*\Z")

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
    return list(read_sentences([text]))


def read_sentences(parts: Iterable[str]) -> Iterator[list[str]]:
    """The words of each sentence of a text that is given part by part; the memory needed does not grow with its length.

    Sentences without words are left out. One of more than `MAX_SENTENCE` words, as in a text without punctuation, is cut.
    """
    words: list[str] = []  # of the sentence that is not complete
    rest = ""
    for part in parts:
        *complete, rest = SENTENCE_END.split(rest + part)
        for sentence in complete:
            yield from _cut(words + tokenize(sentence))
            words = []
        end = _end_of_words(rest)
        words += tokenize(rest[:end])
        rest = rest[end:]
        # White space stays, as it may be the beginning of an empty line.
        space = rest[: len(rest) - len(rest.lstrip())]
        rest = ("\n" if "\n" in space else space[:1]) + rest.lstrip()
        if len(words) >= MAX_SENTENCE:
            *full, words = _cut(words)
            yield from full
    yield from _cut(words + tokenize(rest))


def _end_of_words(text: str) -> int:
    """Up to where the words of a text are complete: the last white space or, in a long text without, the last Han character."""
    *before, last = text.rsplit(None, 1) or [""]
    if before or len(last) < MAX_WORD:
        return len(before[0]) if before else 0
    found = LAST_HAN.search(text)
    return found.start() + 1 if found else len(text)


def _cut(words: list[str]) -> list[list[str]]:
    return [words[start : start + MAX_SENTENCE] for start in range(0, len(words), MAX_SENTENCE)]


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


def read_parts(path: Path) -> Iterator[bytes]:
    """The content of a file, `READ_BYTES` bytes at a time.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            while part := file.read(READ_BYTES):
                yield part
    except OSError as error:
        raise UserError("words.unreadable", path=quoted(path), reason=quoted(error.strerror)) from None


def decode(parts: Iterable[bytes], name: str) -> Iterator[str]:
    """Decode UTF-8 part by part.

    Args:
        name: of the source, for the message.

    Raises:
        UserError: the content is not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        for part in parts:
            if b"\0" in part:  # such as /dev/zero, which never ends
                raise UserError("words.not_utf8", name=name)
            yield decoder.decode(part)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise UserError("words.not_utf8", name=name) from None


def read_text(path: Path) -> str:
    """The content of a UTF-8 text file.

    Raises:
        UserError: the file cannot be read or is not a text.
    """
    return "".join(decode(read_parts(path), quoted(path)))


def build_corpus(sentences: Iterable[list[str]], min_count: int, vocabulary_size: int, max_words: int) -> Corpus:
    """Build the vocabulary and encode the text, which is read once and stored in 4 bytes a word.

    Rare words are removed before pairs are made, as in word2vec, so that their neighbors become adjacent.

    Raises:
        UserError: the text is empty, has more than `max_words` words, or fewer than two frequent enough words.
    """
    numbers: dict[str, int] = {}
    ids, lengths = array("i"), array("i")
    for words in sentences:
        if words:
            ids.extend([numbers.setdefault(word, len(numbers)) for word in words])
            lengths.append(len(words))
        if len(ids) > max_words:
            raise UserError("words.too_long", most=f"{max_words:,}")
    if len(ids) == 0:
        raise UserError("words.no_words")
    read = np.frombuffer(ids, np.int32)
    vocabulary = Vocabulary.most_frequent(dict(zip(numbers, np.bincount(read).tolist(), strict=True)), min_count, vocabulary_size)
    if len(vocabulary) == 0:
        raise UserError("words.no_frequent_word", min_count=min_count)
    if len(vocabulary) == 1:
        raise UserError("words.one_frequent_word", min_count=min_count)
    renumbered = np.full(len(numbers), -1, np.int32)
    renumbered[[numbers[word] for word in vocabulary.words]] = np.arange(len(vocabulary))
    encoded = renumbered[read]
    kept = encoded >= 0
    sizes = np.frombuffer(lengths, np.int32)
    starts = np.cumsum(sizes) - sizes
    left = np.add.reduceat(kept, starts, dtype=np.int32)
    return Corpus(vocabulary, torch.from_numpy(encoded[kept]), torch.from_numpy(left[left > 0]), len(read))
