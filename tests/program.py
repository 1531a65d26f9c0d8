"""The command line in a process of its own, forked from one that has torch loaded: it starts in milliseconds."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

LOADED = ["cl_core.cli.main", "cl_core.training.recorder", "cl_core.words.training", "cl_core.augment.kernel", "sklearn.datasets"]
LOADED += ["torch._dynamo"]  # by the first optimizer


def _run(arguments: Sequence[str], output: Path) -> None:
    for number, name in ((1, "out"), (2, "errors")):
        file = os.open(output.with_suffix(f".{name}"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(file, number)
    from cl_core.cli.main import main

    sys.exit(main(arguments))


class Program:
    """`python -m cl_core ARGUMENTS`, begun; used like `subprocess.Popen`.

    output: a file name that is free, beside which what it prints is kept.
    """

    def __init__(self, arguments: Sequence[str], output: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(LOADED)
        self._output = output
        self._process = context.Process(target=_run, args=([str(each) for each in arguments], output))
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float = 120) -> int:
        self._process.join(timeout)
        assert self._process.exitcode is not None, f"still running after {timeout} s"
        return self._process.exitcode

    def communicate(self, timeout: float = 120) -> tuple[str, str]:
        self.wait(timeout)
        return self._output.with_suffix(".out").read_text(), self._output.with_suffix(".errors").read_text()

    def send_signal(self, number: int) -> None:
        assert self._process.pid
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
