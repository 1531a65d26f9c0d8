"""Caches bounded in entries and bytes, and work done for several threads at once."""

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
    """Approximate memory of a result: tensors, weights and texts, also within lists, dicts and dataclasses."""
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
    """A thread-safe cache of the most recently used results, at most `most` of them and `most_bytes` in total.

    The newest result always stays. Of several threads that need the same key, one computes and the others wait. Errors
    are not cached.

    Args:
        drop: called with each result that leaves the cache.
        measure: size of a result in bytes.
    """

    def __init__(
        self,
        most: int,
        most_bytes: float = 1e9,
        drop: Callable[[T], None] | None = None,
        measure: Callable[[T], int] = bytes_of,
    ) -> None:
        self._most, self._most_bytes, self._drop, self._measure = most, most_bytes, drop, measure
        self._entries: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result under `key`; computed by `make` if the cache does not have it."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key][0]
            making = self._locks.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._entries:
                    return self._entries[key][0]
            try:
                value = make()
                self._add(key, value)
                return value
            finally:
                with self._lock:
                    self._locks.pop(key, None)

    def _add(self, key: Hashable, value: T) -> None:
        gone = []
        with self._lock:
            self._entries[key] = value, self._measure(value)
            taken = sum(size for _, size in self._entries.values())
            while len(self._entries) > 1 and (len(self._entries) > self._most or taken > self._most_bytes):
                _, (old, size) = self._entries.popitem(last=False)
                taken -= size
                gone.append(old)
        for old in gone if self._drop else []:
            self._drop(old)  # type: ignore[misc]

    def forget(self, key: Hashable) -> None:
        """Let the result under `key`, if there is one, be computed again."""
        with self._lock:
            old = self._entries.pop(key, None)
        if old is not None and self._drop:
            self._drop(old[0])

    def found(self, key: Hashable) -> T | None:
        """The result under `key` if it has been computed."""
        with self._lock:
            entry = self._entries.get(key)
        return entry[0] if entry else None

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries


class BatchedFunction(Generic[Q, R]):
    """A function that is called once for the queries of several concurrent threads; a batch costs little more than one query.

    Args:
        work: queries -> answers, in the same order.
        most: queries in one batch.
    """

    def __init__(self, work: Callable[[list[Q]], list[R]], most: int) -> None:
        self._work, self._most = work, most
        self._waiting: list[tuple[Q, Future[R]]] = []
        self._lock, self._working = threading.Lock(), threading.Lock()

    def __call__(self, query: Q) -> R:
        """The answer to one query.

        Raises: what `work` raises.
        """
        own: Future[R] = Future()
        with self._lock:
            self._waiting.append((query, own))
        while not own.done():
            with self._working:  # the next thread in answers all queries that wait by then
                if not own.done():
                    self._answer()
        return own.result()

    def _answer(self) -> None:
        with self._lock:
            taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            answers = self._work([query for query, _ in taken])
        except BaseException as error:
            for _, future in taken:
                future.set_exception(error)
            return
        for (_, future), answer in zip(taken, answers, strict=True):
            future.set_result(answer)
