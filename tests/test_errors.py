"""Errors for people: short, whatever somebody gave."""

from __future__ import annotations

from pathlib import Path

import pytest

from cl_core.errors import LONGEST_QUOTE, UserError, quoted


@pytest.mark.parametrize("value", ["x" * 10_000_000, "line\n" * 1_000_000, Path("x" * 5_000)], ids=["text", "lines", "path"])
def test_a_sentence_quotes_little_of_what_was_given(value: object) -> None:
    sentence = str(UserError("words.unknown_word", word=value))
    assert len(sentence) < LONGEST_QUOTE + 100
    assert "\n" not in sentence
    assert "…" in sentence


def test_quotes_have_both_ends() -> None:
    given = "begin " + "middle " * 1_000 + "end"
    assert quoted(given).startswith("begin ")
    assert quoted(given).endswith("end")
    assert len(quoted(given)) == LONGEST_QUOTE
    assert quoted("short\ttext") == "short text"
