"""Ctrl-C and SIGTERM as a request to stop after the current step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class StopRequest:
    """Set `requested` on Ctrl-C or SIGTERM; a second Ctrl-C interrupts at once.

    As a context manager it restores the handlers of before. Only the main thread receives signals; others get none.

    Args:
        numbers: the signals; by default both.
    """

    def __init__(self, *numbers: int) -> None:
        self.requested = False
        main = threading.current_thread() is threading.main_thread()
        caught = (numbers or (signal.SIGINT, signal.SIGTERM)) if main else ()
        self._before = {number: signal.signal(number, self._request) for number in caught}

    def __enter__(self) -> StopRequest:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: it was not set by Python

    def _request(self, number: int, frame: FrameType | None) -> None:
        # torchrun sends SIGTERM after Ctrl-C, so SIGTERM never counts as the second one.
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
