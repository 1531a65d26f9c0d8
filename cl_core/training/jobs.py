"""Training runs beside the page, one at a time: in a process of their own, or piece by piece on a lent GPU.

What a job is at is read in its run folder. It continues when the page that began it is closed. When the program ends, it
stops at the end of its step, saved; a step that takes too long is cut off, and what was saved before stays.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from cl_core.runs.folder import RunFolder
from cl_core.system import zero_gpu
from cl_core.system.host import CGROUP, cores
from cl_core.system.paths import ROOT, cache_dir
from cl_core.training.job_process import (
    EXIT_CUT_OFF,
    NO_MEMORY,
    SAVE_PATIENCE_S,
    SAVING,
    STEP_PATIENCE_S,
    STEPPING,
    train_lent_piece,
)

KILLED = 9  # signal
MARGIN_S = 0.5  # that a process has to end by itself, and then after each signal
CRASHES = {number for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL") if (number := getattr(signal, name, 0))}
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
        work = self._lent if zero_gpu.ON_ZERO_GPU else self._process
        self._thread = threading.Thread(target=context.run, args=(work,), daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    @property
    def told_to_stop(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """Stop at the end of the step, or in the middle of one that takes too long; on a lent GPU at the end of the piece."""
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
        oom_kills_before = oom_kills()
        try:
            ended = self._run_process()
        except OSError as error:
            self.problem = f"No training could be started beside the page ({error}): start the app where it may run programs."
            return
        self.problem = self._why(ended, oom_kills() > oom_kills_before)

    def _why(self, ended: _Ended, out_of_memory: bool) -> str:
        """The sentence for a run whose process ended, empty where nothing went wrong."""
        if ended.code == 0 or ended.problem:
            return ended.problem
        if ended.cut_off:
            return ""
        if -ended.code == KILLED and out_of_memory:
            return NO_MEMORY
        if ended.code > 0 or -ended.code in CRASHES:
            end = f"exit {ended.code}" if ended.code > 0 else f"signal {-ended.code}"
            return f"The training broke off ({end}): the server's log says why."
        resume = "press Resume to continue from what was saved" if RunFolder(self.path).exists() else "start it again"
        return f"The training was ended from outside (signal {-ended.code}): {resume}."

    def _run_process(self) -> _Ended:
        process = subprocess.Popen(
            [sys.executable, "-m", "cl_core.training.job_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            cwd=ROOT,
            env={"OMP_NUM_THREADS": str(THREADS), **os.environ, "CL_CACHE_DIR": str(cache_dir())},
            start_new_session=True,  # Ctrl-C is the page's, which ends, and with it our end of the pipe
        )
        assert process.stdin and process.stdout
        reports = _Reports(process.stdout)
        try:
            with contextlib.suppress(BrokenPipeError):  # it has ended: its exit code says why
                process.stdin.write(json.dumps({"path": str(self.path), "settings": self._settings}) + "\n")
                process.stdin.flush()
            while process.poll() is None and not self._stop.wait(0.2) and not self._asked_to_stop():
                pass
        finally:
            stopped = process.poll() is None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            _wait_for_end(process, reports)
        code = process.returncode
        return _Ended(code, reports.problem(), stopped and (code == EXIT_CUT_OFF or code < 0))


@dataclasses.dataclass(frozen=True)
class _Ended:
    """How a process ended.

    code: of its exit, or minus the signal that ended it. problem: the sentence that it gave. cut_off: whether it was asked
    to stop and ended in the middle of its step.
    """

    code: int
    problem: str
    cut_off: bool


class _Reports:
    """The lines that a process writes, read as they come, so that its pipe never fills."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._lines = stream, [STEPPING]
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream:
            for line in self._stream:
                self._lines.append(line.strip())

    @property
    def saving(self) -> bool:
        return self._lines[-1] == SAVING

    def problem(self) -> str:
        """What the process, which has ended, wrote of an error."""
        self._thread.join(1.0)  # no longer: what it started may hold the pipe open
        return " ".join(line for line in self._lines if line not in (SAVING, STEPPING))


def _wait_for_end(process: subprocess.Popen[str], reports: _Reports) -> None:
    """Wait for a process that was asked to stop, and end it where it does not do so itself in time."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STEP_PATIENCE_S + MARGIN_S)
        return
    if reports.saving:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SAVE_PATIENCE_S)
            return
    for end in ("SIGTERM", "SIGKILL"):
        _signal_all(process, end)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(MARGIN_S)
            return
    process.wait()


def _signal_all(process: subprocess.Popen[str], name: str) -> None:
    """Send a signal to a process and to those that it started; it leads a session of its own."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, getattr(signal, name))
    else:
        process.kill()


def oom_counters() -> list[Path]:
    """Files in which Linux counts the processes that it ended for lack of memory, the nearest to this process first."""
    files = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                files += [CGROUP / path.strip("/") / "memory.events", CGROUP / "memory.events"]
            elif "memory" in controllers.split(","):
                root = CGROUP / "memory"
                files += [root / path.strip("/") / "memory.oom_control", root / "memory.oom_control"]
    return [*files, Path("/proc/vmstat")]  # of the whole machine, where this process is in no group


def oom_kills(files: Iterable[Path] | None = None) -> int:
    """Processes ended for lack of memory, as the first of `files` that counts them says; 0 where none does.

    Args:
        files: with a line `oom_kill N`, by default `oom_counters()`.
    """
    for file in oom_counters() if files is None else files:
        with contextlib.suppress(OSError):
            found = re.search(r"^oom_kill (\d+)$", file.read_text(encoding="ascii"), re.MULTILINE)
            if found:
                return int(found[1])
    return 0


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
        """Stop what is being trained, within 5 s; on a lent GPU at the end of the piece.

        It is saved at the end of its step. A step that takes longer is cut off: what was saved before stays, and the run's
        state stays "running". A save is never cut off, so it may take longer than 5 s.
        """
        if self._last:
            self._last.stop()

    def problem(self, path: Path) -> str:
        """What ended the newest job, if that was in `path`; empty where nothing did."""
        return self._last.problem if self._last and self._last.path == path.resolve() else ""
