"""Bounded caches and batched queries."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from cl_core.errors import UserError
from cl_core.system.memo import BatchedFunction, Memo, bytes_of
from cl_core.text import text


def test_concurrent_requests_compute_once() -> None:
    memo, made = Memo[int](4), []

    def make() -> int:
        time.sleep(0.05)
        made.append(1)
        return 7

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: memo.get("a", make), range(8))) == [7] * 8
    assert len(made) == 1


def test_least_recently_used_is_dropped_first() -> None:
    dropped: list[str] = []
    memo = Memo[str](2, drop=dropped.append)
    for name in ("a", "b", "a", "c"):
        memo.get(name, lambda name=name: name.upper())
    assert dropped == ["B"]
    assert memo.get("a", lambda: "anew") == "A"


def test_bytes_are_bounded_but_the_newest_stays() -> None:
    memo = Memo[torch.Tensor](100, most_bytes=4 * 250)
    for number in range(5):
        memo.get(number, lambda: torch.zeros(100))
    assert len(memo) == 2
    memo.get("large", lambda: torch.zeros(1000))
    assert len(memo) == 1
    assert bytes_of({"a": torch.zeros(10), "b": [torch.zeros(2, dtype=torch.int64)]}) == 56


def test_what_is_forgotten_is_dropped_and_made_again() -> None:
    gone: list[int] = []
    memo: Memo[int] = Memo(4, drop=gone.append)
    assert memo.get("a", lambda: 1) == 1
    memo.forget("a")
    memo.forget("b")
    assert gone == [1]
    assert memo.get("a", lambda: 2) == 2


def test_errors_are_not_cached() -> None:
    memo = Memo[int](4)

    def fail() -> int:
        raise UserError("settings.other", message="no")

    for number in range(1000):
        with pytest.raises(UserError):
            memo.get(f"{'x' * 1000}{number}", fail)
    assert (len(memo), len(memo._locks)) == (0, 0)


def test_concurrent_queries_are_batched() -> None:
    sizes, busy = [], threading.Lock()

    def work(questions: list[int]) -> list[int]:
        assert busy.acquire(blocking=False), "one at a time"
        time.sleep(0.05)
        sizes.append(len(questions))
        busy.release()
        return [each * 2 for each in questions]

    batched = BatchedFunction(work, 4)
    with ThreadPoolExecutor(13) as pool:
        assert list(pool.map(batched, range(13))) == [2 * each for each in range(13)]
    assert sum(sizes) == 13
    assert max(sizes) == 4
    assert len(sizes) < 8


def test_error_reaches_its_batch_only() -> None:
    def work(questions: list[int]) -> list[int]:
        time.sleep(0.02)
        if any(each < 0 for each in questions):
            raise UserError("map.too_few")
        return questions

    batched = BatchedFunction(work, 8)

    def ask(question: int) -> str:
        try:
            return str(batched(question))
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, [1, -1, 2, 3]))
    assert answers[1] == text("map.too_few")
    assert ask(5) == "5"
