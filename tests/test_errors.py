"""Errors for people: short, whatever somebody gave."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cl_core.cli import main as program
from cl_core.errors import MAX_QUOTE, UserError, is_out_of_memory, quoted


@pytest.mark.parametrize("value", ["x" * 10_000_000, "line\n" * 1_000_000, Path("x" * 5_000)], ids=["text", "lines", "path"])
def test_a_sentence_quotes_little_of_what_was_given(value: object) -> None:
    sentence = str(UserError("words.unknown_word", word=value))
    assert len(sentence) < MAX_QUOTE + 100
    assert "\n" not in sentence
    assert "…" in sentence


def test_quotes_have_both_ends() -> None:
    given = "begin " + "middle " * 1_000 + "end"
    assert quoted(given).startswith("begin ")
    assert quoted(given).endswith("end")
    assert len(quoted(given)) == MAX_QUOTE
    assert quoted("short\ttext") == "short text"


def test_without_memory_a_command_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(10**15)
    assert is_out_of_memory(raised.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    monkeypatch.setattr("cl_core.cli.listing.show_list", lambda _: torch.empty(10**15))
    assert program.main(["list"]) == 2
    assert capsys.readouterr().err.startswith("error: There is not enough memory: choose a smaller batch_size")
