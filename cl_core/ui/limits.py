"""Rate limits for visitors of a shared machine."""

from __future__ import annotations

import time
from collections import OrderedDict

CALLS_A_SECOND, CALLS_AT_ONCE = 20.0, 200.0
UPLOADS_A_SECOND, UPLOADS_AT_ONCE = 0.5, 30.0
LOGINS_A_SECOND, LOGINS_AT_ONCE = 0.1, 10.0
PAGES_A_SECOND, PAGES_AT_ONCE = 100.0, 2_000.0  # a page is about 120 files
OF_ONE_ADDRESS = 10  # limit of one address, in limits of a visitor: visitors behind one router or proxy share an address
MAX_REMEMBERED = 20_000  # visitors


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
    """Counts the requests of the last `MAX_REMEMBERED` visitors."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()

    def allows(self, visitor: str | None, address: str, method: str, path: str, now: float | None = None) -> bool:
        """Whether a visitor may make this request now.

        visitor: None without a cookie. address: of the client; all its visitors share a limit too. now: seconds, monotonic.
        """
        now = time.monotonic() if now is None else now
        if path.startswith("/gradio_api/upload") and method == "POST":
            kind, rate, full = "upload", UPLOADS_A_SECOND, UPLOADS_AT_ONCE
        elif path.startswith("/login"):
            kind, rate, full = "login", LOGINS_A_SECOND, LOGINS_AT_ONCE
        elif method == "POST":
            kind, rate, full = "call", CALLS_A_SECOND, CALLS_AT_ONCE
        else:
            kind, rate, full = "page", PAGES_A_SECOND, PAGES_AT_ONCE
        everybody = self._bucket(f"all of {address}", kind, OF_ONE_ADDRESS * full, now)
        own = self._bucket(visitor or address, kind, full, now)
        # What the visitor's own limit refuses takes nothing from the others at the address.
        return own.take(rate, full, now) and everybody.take(OF_ONE_ADDRESS * rate, OF_ONE_ADDRESS * full, now)

    def _bucket(self, whose: str, kind: str, full: float, now: float) -> Bucket:
        bucket = self._buckets.setdefault((whose, kind), Bucket(full, now))
        self._buckets.move_to_end((whose, kind))
        while len(self._buckets) > 3 * MAX_REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket
