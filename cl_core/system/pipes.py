"""Work in another process: a request goes in by standard input, reports come out by standard output."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import IO

from cl_core.system.paths import ROOT, cache_dir


def start_worker(module: str, request: str, threads: int, errors: IO[bytes] | int | None = None) -> subprocess.Popen[str]:
    """Start `python -m MODULE`; closing its standard input asks it to stop.

    Args:
        request: the first line of its standard input.
        threads: of torch, unless OMP_NUM_THREADS is set.
        errors: where its standard error goes; by default to that of this program.

    Raises:
        OSError: it cannot be started.
    """
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", module],  # in a crash standard error has the line of Python that was running
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        encoding="utf-8",
        cwd=ROOT,
        env={"OMP_NUM_THREADS": str(threads), **os.environ, "CL_CACHE_DIR": str(cache_dir())},
        start_new_session=True,  # Ctrl-C reaches only this program, whose end closes the pipe
    )
    assert process.stdin
    try:
        with contextlib.suppress(BrokenPipeError):  # it has ended; its exit code has the reason
            process.stdin.write(f"{request}\n")
            process.stdin.flush()
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def report(line: str) -> None:
    """Write a line to standard output, unbuffered; ignored where the reader is gone."""
    with contextlib.suppress(OSError):
        os.write(1, f"{line}\n".encode())
