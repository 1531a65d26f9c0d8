"""Trainings beside the page, one at a time: in a process of their own, or piece by piece on a lent GPU.

What a job is at is read in its run folder; it goes on when the page that began it is closed, and stops, saved, when the
program ends.
"""

from __future__ import annotations

import contextvars
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from cl_core import zero_gpu
from cl_core.host import cores
from cl_core.paths import ROOT, cache_dir
from cl_core.training.pieces import NO_MEMORY, train_lent_piece

KILLED = -9
# One core is the page's. Threads on all of them wait for one another whenever it works: on two cores 340 pairs a second
# while it is idle, but 20 while it answers; with one thread 200 in both cases.
THREADS = max(1, cores() - 1)


class Job:
    """A training that goes on in the background until it is finished, stopped, or `seconds` have passed.

    path: of its run. problem: the sentence that ended it, empty where none did.
    """

    def __init__(self, path: Path, settings: dict[str, Any], seconds: float | None) -> None:
        self.path, self.problem = path.resolve(), ""
        self._settings, self._stop = settings, threading.Event()
        self._until = None if seconds is None else time.monotonic() + seconds
        # In the caller's context: what lends a GPU asks there whose quota it takes.
        context = contextvars.copy_context()
        work = self._lent if zero_gpu.LENT else self._process
        self._thread = threading.Thread(target=context.run, args=(work,), daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    @property
    def told_to_stop(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """Stop at the end of the step; on a lent GPU at the end of the piece."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> None:
        """Until it has ended."""
        self._thread.join(seconds)

    def _asked_to_stop(self) -> bool:
        return self._stop.is_set() or (self._until is not None and time.monotonic() > self._until)

    def _lent(self) -> None:
        state: str | None = "stopped"
        try:
            while state == "stopped" and not (self.problem or self._asked_to_stop()):
                state, self.problem = train_lent_piece(str(self.path), self._settings)
        except Exception as error:
            # What lends the GPU raises errors of Gradio's, for the visitor: no quota left, no GPU free.
            if not hasattr(error, "message"):
                raise
            self.problem = str(error.message)

    def _process(self) -> None:
        try:
            code, said = self._run_process()
        except OSError as error:
            self.problem = f"No training could be started beside the page ({error}): start the app where it may run programs."
            return
        if code:
            broken = f"The training broke off (exit {code}): the server's log says why."
            self.problem = said or (NO_MEMORY if code == KILLED else broken)

    def _run_process(self) -> tuple[int, str]:
        """Exit code, and what was said of an error."""
        process = subprocess.Popen(
            [sys.executable, "-m", "cl_core.training.pieces"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={"OMP_NUM_THREADS": str(THREADS), **os.environ, "CL_CACHE_DIR": str(cache_dir())},
            start_new_session=True,  # Ctrl-C is the page's, which ends, and with it our end of the pipe
        )
        assert process.stdin and process.stdout
        with process:
            process.stdin.write(json.dumps({"path": str(self.path), "settings": self._settings}) + "\n")
            process.stdin.flush()
            while process.poll() is None and not self._stop.wait(0.2) and not self._asked_to_stop():
                pass
            process.stdin.close()
            said = process.stdout.read().strip()
            return process.wait(), said


class Jobs:
    """The trainings of one program; of those who ask, one trains at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Job | None = None

    @property
    def running(self) -> Path | None:
        """The run that is being trained now."""
        return self._last.path if self._last and self._last.running else None

    def begin(self, path: Path, settings: dict[str, Any], seconds: float | None = None) -> Job | None:
        """Train the run in `path`, new or unfinished; None while another is being trained."""
        with self._lock:
            if self.running:
                return None
            self._last = Job(path, settings, seconds)
            return self._last

    def trains(self, path: Path) -> bool:
        """Whether the run in `path` is being trained now."""
        return self.running == path.resolve()

    @property
    def stopping(self) -> bool:
        """Whether what is being trained was told to stop."""
        return bool(self._last and self._last.running and self._last.told_to_stop)

    def stop(self) -> None:
        """Let what is being trained stop, saved; it takes the rest of its step, on a lent GPU of its piece."""
        if self._last:
            self._last.stop()

    def problem(self, path: Path) -> str:
        """What ended the newest job, if that was in `path`; empty where nothing did."""
        return self._last.problem if self._last and self._last.path == path.resolve() else ""
