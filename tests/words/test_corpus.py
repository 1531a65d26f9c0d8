"""Texts become sentences of word numbers."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest
import torch

from cl_core.errors import UserError
from cl_core.words.corpus import (
    build_corpus,
    decode,
    read_parts,
    read_sentences,
    read_text,
    split_sentences,
    synthetic,
    tokenize,
    wordnet,
    zipf_probabilities,
)
from cl_core.words.vocabulary import keep_probability, noise_distribution


def test_the_sources_worked_example() -> None:
    raw = torch.arange(1, 6).double() ** -0.75
    assert raw.numpy().round(4).tolist() == [1.0, 0.5946, 0.4387, 0.3536, 0.2991]
    # The source's normalized figures add up to 1.0002: its last digit is rounded up.
    assert zipf_probabilities(5).tolist() == pytest.approx([0.3724, 0.2214, 0.1633, 0.1317, 0.1114], abs=1e-4)


def test_synthetic_words_follow_their_probabilities() -> None:
    (words,) = synthetic(5, 100_000, seed=0)
    shares = torch.tensor([words.count(f"word{rank}") / len(words) for rank in range(1, 6)])
    assert torch.allclose(shares, zipf_probabilities(5).float(), atol=0.005)
    assert synthetic(5, 10, seed=1) == synthetic(5, 10, seed=1) != synthetic(5, 10, seed=2)


def test_words_of_a_text() -> None:
    assert split_sentences("The dog's well-known; 3 Cats!\nNo end\nhere. Ça va?\n\nNew") == [
        ["the", "dog's", "well-known", "cats"],
        ["no", "end", "here"],
        ["ça", "va"],
        ["new"],
    ]


def test_chinese_text_needs_no_spaces() -> None:
    assert split_sentences("对比学习。学word") == [["对", "比", "学", "习"], ["学", "word"]]


def test_marks_belong_to_their_letters() -> None:
    assert split_sentences("हिन्दी भाषा") == [["हिन्दी", "भाषा"]]
    assert split_sentences("re\u0301sume\u0301 résumé") == [["résumé", "résumé"]]


def test_rare_words_are_left_out_before_windows_are_laid() -> None:
    corpus = build_corpus([["a", "x", "b"], ["a", "b", "a"], ["y"]], min_count=2, vocabulary_size=10, max_words=100)
    assert corpus.vocabulary.words == ["a", "b"]
    assert corpus.vocabulary.counts.tolist() == [3, 2]
    assert corpus.ids.tolist() == [0, 1, 0, 1, 0]
    assert corpus.lengths.tolist() == [2, 3]
    assert corpus.total == 7


def test_the_most_frequent_words_are_kept() -> None:
    corpus = build_corpus([list("aaabbc")], min_count=1, vocabulary_size=2, max_words=100)
    assert corpus.vocabulary.words == ["a", "b"]


def test_wordnet() -> None:
    sentences = wordnet()
    assert len(sentences) == 117_659
    assert sentences[0][:3] == ["entity", "that", "which"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The text has no words: give one with at least two different words."),
        ("1 2 3 !", "The text has no words"),
        ("word word word", "The text has only one word that occurs 2 times or more: give a longer text, or a smaller min_count."),
        ("each word once", "The text has no word that occurs 2 times or more"),
        ("many words " * 60, "The text has more than max_words = 100 words: shorten it, or raise max_words."),
    ],
)
def test_texts_of_no_use(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence.split(":")[0]) as error:
        build_corpus(split_sentences(text), min_count=2, vocabulary_size=10, max_words=100)
    assert sentence in str(error.value)


def test_an_endless_text_is_refused_once_it_is_too_long() -> None:
    with pytest.raises(UserError, match="The text has more than max_words = 5,000,000 words"):
        build_corpus(repeat(["a", "b"] * 500), min_count=1, vocabulary_size=10, max_words=5_000_000)


TEXT = "One two. Three\n four\n\nFive's six...\n \nseven!? 对比学习。eight re\u0301sume\u0301 \n\n\n nine ten"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20])
def test_a_text_read_in_parts_is_the_same(size: int) -> None:
    assert list(read_sentences(TEXT[i : i + size] for i in range(0, len(TEXT), size))) == split_sentences(TEXT)
    encoded = TEXT.encode("utf-8-sig")
    assert "".join(decode((encoded[i : i + size] for i in range(0, len(encoded), size)), "x")) == TEXT


@pytest.mark.parametrize("space", [" ", "\t", "\u3000", "  \n  ", ""])
def test_a_text_without_punctuation_is_read_in_parts(space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one without white space, as Chinese may be: what waits for the next part stays short."""
    monkeypatch.setattr("cl_core.words.corpus.MAX_WORD", 50)
    text, longest = space.join("对比学习" * 200), 0

    def parts() -> Iterator[str]:
        for i in range(0, len(text), 20):
            yield text[i : i + 20]

    def tokenized(part: str) -> list[str]:
        nonlocal longest
        longest = max(longest, len(part))
        return tokenize(part)

    monkeypatch.setattr("cl_core.words.corpus.tokenize", tokenized)
    assert list(read_sentences(parts())) == [list("对比学习" * 200)]
    assert longest <= 90
    monkeypatch.undo()
    assert split_sentences("a" * 70_000 + " b") == [["a" * 70_000, "b"]]
    assert list(read_sentences(["a", *[" " * 1000] * 50, "b"])) == [["a", "b"]]


def test_a_text_without_punctuation_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cl_core.words.corpus.MAX_SENTENCE", 4)
    words = [f"w{chr(97 + i)}" for i in range(11)]
    for size in (5, 1000):
        text = " ".join(words)
        found = list(read_sentences(text[i : i + size] for i in range(0, len(text), size)))
        assert found == [words[:4], words[4:8], words[8:]]


def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    """A million words, 6 MB, as one line, the way text8 is: at most 40 bytes a word, not 100."""
    file = tmp_path / "text8"
    line = " ".join(f"word{chr(97 + i % 26)}" for i in range(100_000)) + " "
    file.write_text(line * 10)
    tracemalloc.start()
    corpus = build_corpus(read_sentences(decode(read_parts(file), "text8")), 1, 100, 5_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert corpus.total == 1_000_000
    assert peak < 40e6


def test_files_that_are_no_text(tmp_path: Path) -> None:
    binary = tmp_path / "image.png"
    binary.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(UserError, match=r"image\.png is not a text in UTF-8: give a plain text file"):
        read_text(binary)
    with pytest.raises(UserError, match=r"nowhere\.txt cannot be read \(No such file or directory\): give wordnet, synthetic"):
        read_text(tmp_path / "nowhere.txt")


def test_noise_distribution() -> None:
    counts = torch.tensor([81, 16, 1])
    assert noise_distribution(counts, 0).tolist() == pytest.approx([1 / 3] * 3)
    assert noise_distribution(counts, 1).tolist() == pytest.approx([81 / 98, 16 / 98, 1 / 98])
    assert noise_distribution(counts, 0.75).tolist() == pytest.approx([27 / 36, 8 / 36, 1 / 36])


def test_subsampling_is_word2vecs() -> None:
    keep = keep_probability(torch.tensor([900, 99, 1]), 0.01)
    assert keep.tolist() == pytest.approx([((0.9 / 0.01) ** 0.5 + 1) * 0.01 / 0.9, ((9.9) ** 0.5 + 1) / 9.9, 1.0])
    assert keep_probability(torch.tensor([900, 1]), 0).tolist() == [1, 1]
