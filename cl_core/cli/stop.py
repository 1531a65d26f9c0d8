"""Ctrl-C as a wish that is granted at the next step."""

from __future__ import annotations

import signal
from types import FrameType


class StopRequest:
    """Ctrl-C and a polite kill ask for a stop at the next step; a second Ctrl-C does not wait."""

    def __init__(self) -> None:
        self.requested = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        # torchrun passes Ctrl-C on as a polite kill, so that one is no second wish.
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
