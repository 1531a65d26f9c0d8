"""How often one visitor may ask, where others share the machine."""

from __future__ import annotations

import time
from collections import OrderedDict

CALLS_A_SECOND, CALLS_AT_ONCE = 20.0, 200.0
UPLOADS_A_SECOND, UPLOADS_AT_ONCE = 0.5, 30.0
PAGES_A_SECOND, PAGES_AT_ONCE = 100.0, 2_000.0  # a page is about 85 files
MOST_REMEMBERED = 20_000  # visitors


class Bucket:
    """Holds `full` tokens and fills at `rate` tokens a second; each request takes one."""

    __slots__ = ("_left", "_when")

    def __init__(self, full: float, now: float) -> None:
        self._left, self._when = full, now

    def take(self, rate: float, full: float, now: float) -> bool:
        """Take a token; False where there is none."""
        self._left = min(full, self._left + (now - self._when) * rate)
        self._when = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Limiter:
    """Remembers the last `MOST_REMEMBERED` visitors; who came before them starts anew."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()

    def allows(self, visitor: str, method: str, path: str, now: float | None = None) -> bool:
        """Whether `visitor` may make this request now. now: in seconds, of any clock that only rises."""
        now = time.monotonic() if now is None else now
        if path.startswith("/gradio_api/upload") and method == "POST":
            kind, rate, full = "upload", UPLOADS_A_SECOND, UPLOADS_AT_ONCE
        elif method == "POST":
            kind, rate, full = "call", CALLS_A_SECOND, CALLS_AT_ONCE
        else:
            kind, rate, full = "page", PAGES_A_SECOND, PAGES_AT_ONCE
        key = (visitor, kind)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(full, now)
        self._buckets.move_to_end(key)
        while len(self._buckets) > 3 * MOST_REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket.take(rate, full, now)
