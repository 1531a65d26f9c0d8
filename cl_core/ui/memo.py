"""Results that many visitors ask for: computed once, kept within bounds."""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

T = TypeVar("T")
Q = TypeVar("Q")
R = TypeVar("R")


def bytes_of(value: Any) -> int:
    """About how much memory a result holds: tensors and weights, texts, and what is in lists, dicts and dataclasses."""
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, nn.Module):
        return sum(each.nbytes for each in (*value.parameters(), *value.buffers()))
    if isinstance(value, dict):
        return sum(map(bytes_of, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(bytes_of, value))
    if dataclasses.is_dataclass(value):
        return sum(bytes_of(getattr(value, field.name)) for field in dataclasses.fields(value))
    return sys.getsizeof(value)


class Memo(Generic[T]):
    """Keeps the results used last, at most `most` of them and `most_bytes` together; the newest is always kept.

    Of those who ask for the same thing one computes and the others wait. An error is nobody's result: the next one tries again.
    drop: called with a result that is no longer kept. measure: how many bytes one takes.
    """

    def __init__(
        self,
        most: int,
        most_bytes: float = 1e9,
        drop: Callable[[T], None] | None = None,
        measure: Callable[[T], int] = bytes_of,
    ) -> None:
        self._most, self._most_bytes, self._drop, self._measure = most, most_bytes, drop, measure
        self._kept: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result called `key`, by `make` where it is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._kept:
                    return self._kept[key][0]
            try:
                value = make()
                self._keep(key, value)
                return value
            finally:
                with self._lock:
                    self._making.pop(key, None)

    def _keep(self, key: Hashable, value: T) -> None:
        gone = []
        with self._lock:
            self._kept[key] = value, self._measure(value)
            taken = sum(size for _, size in self._kept.values())
            while len(self._kept) > 1 and (len(self._kept) > self._most or taken > self._most_bytes):
                _, (old, size) = self._kept.popitem(last=False)
                taken -= size
                gone.append(old)
        for old in gone if self._drop else []:
            self._drop(old)  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self._kept)


class Together(Generic[Q, R]):
    """Works on what several threads ask at the same time in one go, which costs little more than one of them.

    work: questions -> answers, in the same order. most: questions at a time.
    """

    def __init__(self, work: Callable[[list[Q]], list[R]], most: int) -> None:
        self._work, self._most = work, most
        self._waiting: list[tuple[Q, Future[R]]] = []
        self._lock, self._working = threading.Lock(), threading.Lock()

    def __call__(self, question: Q) -> R:
        """The answer to one question.

        Raises: what `work` raises.
        """
        own: Future[R] = Future()
        with self._lock:
            self._waiting.append((question, own))
        while not own.done():
            with self._working:  # whoever comes next works for all who wait by then
                if not own.done():
                    self._answer()
        return own.result()

    def _answer(self) -> None:
        with self._lock:
            taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            answers = self._work([question for question, _ in taken])
        except BaseException as error:
            for _, future in taken:
                future.set_exception(error)
            return
        for (_, future), answer in zip(taken, answers, strict=True):
            future.set_result(answer)
