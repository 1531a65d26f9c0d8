"""Ctrl-C and SIGTERM as a request to stop after the current step."""

from __future__ import annotations

import signal
from types import FrameType


class StopRequest:
    """Set `requested` on Ctrl-C or SIGTERM; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.requested = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._request)

    def _request(self, number: int, frame: FrameType | None) -> None:
        # torchrun sends SIGTERM after Ctrl-C, so SIGTERM never counts as the second one.
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
