"""Lines between a process and the program that started it."""

from __future__ import annotations

import contextlib
import os


def report(line: str) -> None:
    """Write a line to standard output, unbuffered; ignored where the reader is gone."""
    with contextlib.suppress(OSError):
        os.write(1, f"{line}\n".encode())
