"""One training run, or comparison of methods, in the background: in a process of its own, or call by call on a lent GPU.

The progress of a job is read from its folder. A job continues when the page is closed. When the program ends, it saves and
stops at the end of its step; a step that takes too long is aborted, and the last save stays.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Literal

from cl_core.errors import UserError, error_from_json, quoted
from cl_core.runs.folder import LOG, RunFolder
from cl_core.system import zero_gpu
from cl_core.system.host import cores
from cl_core.system.oom import oom_kills
from cl_core.system.pipes import start_worker
from cl_core.training.comparison_state import comparison_file
from cl_core.training.job_process import (
    EXIT_ABORTED,
    SAVE_GRACE_S,
    SAVING,
    STEP_GRACE_S,
    STEPPING,
    train_on_lent_gpu,
)

Work = Literal["job", "comparison"]
KILLED = 9  # signal
LOG_END, LOG_READ = 4_000, 64_000  # characters of the log that are shown, bytes that are read
MODULES = "Extension modules:"  # a list of thousands of characters that ends the report of a crash
MARGIN_S = 0.5  # time for a process to end by itself, and again after each signal
CRASHES = {number for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL") if (number := getattr(signal, name, 0))}
# One core is left to the page. Threads on all cores wait for one another whenever the page works: on two cores 340 pairs a
# second while it is idle, but 20 while it answers; with one thread 200 in both cases.
THREADS = max(1, cores() - 1)


@dataclasses.dataclass(frozen=True)
class JobRequest:
    """A run to train, new or unfinished, or a comparison of methods to make.

    path: its folder. settings: of a new one. seconds: the longest time it may take. work: what the process does. context: of
    the caller, to whose quota a GPU is charged.
    """

    path: Path
    settings: dict[str, Any]
    seconds: float | None = None
    work: Work = "job"
    context: contextvars.Context = dataclasses.field(default_factory=contextvars.copy_context)


class Job:
    """A task that is worked on in the background until it is finished, stopped, or its time is over.

    ended: called when it has ended.
    """

    def __init__(self, task: JobRequest, ended: Callable[[], None] = lambda: None) -> None:
        self.path = task.path.resolve()
        self._at_end, self._ended = ended, threading.Event()
        self._module = f"{task.work}_process"
        self._problem: UserError | None = None
        self._settings, self._stop = task.settings, threading.Event()
        self._until = None if task.seconds is None else time.monotonic() + task.seconds
        train = self._train_on_lent_gpu if zero_gpu.ON_ZERO_GPU and task.work == "job" else self._train_in_process
        self._thread = threading.Thread(target=task.context.run, args=(self._run, train), daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return not self._ended.is_set()

    @property
    def problem(self) -> str:
        """The error that ended the job, in the language in effect; empty where there was none."""
        return str(self._problem) if self._problem else ""

    @property
    def stop_requested(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """Stop at the end of the step, or in the middle of one that takes too long; on a lent GPU at the end of the call."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the job has ended, at most `seconds`."""
        self._thread.join(seconds)

    def _must_stop(self) -> bool:
        return self._stop.is_set() or (self._until is not None and time.monotonic() > self._until)

    def _run(self, train: Callable[[], None]) -> None:
        try:
            train()
        finally:
            self._ended.set()
            self._at_end()

    def _train_on_lent_gpu(self) -> None:
        state: str | None = "stopped"
        try:
            while state == "stopped" and not (self._problem or self._must_stop()):
                state, self._problem = train_on_lent_gpu(str(self.path), self._settings)
        except Exception as error:
            # The lender raises Gradio's errors, meant for the visitor: no quota left, no GPU free.
            if not hasattr(error, "message"):
                raise
            self._problem = UserError("training.gpu_refused", message=str(error.message))

    def _train_in_process(self) -> None:
        oom_kills_before = oom_kills()
        try:
            end = self._run_process()
        except OSError as error:
            self._problem = UserError("training.no_process", reason=quoted(error))
            return
        self._problem = self._explain(end, oom_kills() > oom_kills_before)

    def _explain(self, end: _ProcessEnd, out_of_memory: bool) -> UserError | None:
        """The error of a run whose process ended; None where nothing went wrong."""
        if end.code == 0 or end.problem:
            return end.problem
        if end.aborted:
            return None
        if end.code > 0:
            return UserError("training.exited", code=end.code)
        number = -end.code
        if number == KILLED and out_of_memory:
            return UserError("training.no_memory")
        if number in CRASHES:
            return UserError("training.crashed", signal=number)
        if has_begun(self.path):
            return UserError("training.killed_resumable", signal=number)
        return UserError("training.killed", signal=number)

    def _run_process(self) -> _ProcessEnd:
        with _log_file(self.path / LOG) as log:
            request = json.dumps({"path": str(self.path), "settings": self._settings})
            process = start_worker(f"cl_core.training.{self._module}", request, THREADS, log)
        assert process.stdin and process.stdout
        reports = _Reports(process.stdout)
        try:
            while process.poll() is None and not self._stop.wait(0.2) and not self._must_stop():
                pass
        finally:
            stopped = process.poll() is None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            _wait_for_end(process, reports)
        code = process.returncode
        return _ProcessEnd(code, reports.problem(), stopped and (code == EXIT_ABORTED or code < 0))


def has_begun(path: Path) -> bool:
    """Whether a run or a comparison has a record in its folder, from which it can be resumed."""
    return RunFolder(path).exists() or comparison_file(path).exists()


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[IO[bytes] | int]:
    """A new log; nothing is logged where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("wb")
    except OSError:
        yield subprocess.DEVNULL
        return
    with file:
        yield file


@dataclasses.dataclass(frozen=True)
class _ProcessEnd:
    """How a process ended.

    code: exit code, or minus the signal that ended it. problem: the error it reported. aborted: whether it was asked to stop
    and ended in the middle of a step.
    """

    code: int
    problem: UserError | None
    aborted: bool


class _Reports:
    """The lines that a process writes, read as they come, so that its pipe does not fill."""

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

    def problem(self) -> UserError | None:
        """The error that the process reported, which has ended; other output is ignored."""
        self._thread.join(1.0)  # no longer: a child process may hold the pipe open
        for line in reversed(self._lines):
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                return error_from_json(json.loads(line))
        return None


def _wait_for_end(process: subprocess.Popen[str], reports: _Reports) -> None:
    """Wait for a process that was asked to stop, and end it if it does not end in time."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STEP_GRACE_S + MARGIN_S)
        return
    if reports.saving:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SAVE_GRACE_S)
            return
    for end in ("SIGTERM", "SIGKILL"):
        _signal_all(process, end)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(MARGIN_S)
            return
    process.wait()


def _signal_all(process: subprocess.Popen[str], name: str) -> None:
    """Send a signal to a process and its children; it leads a process group of its own."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, getattr(signal, name))
    else:
        process.kill()


def end_of_log(path: Path) -> str:
    """The last lines that the process of a job wrote to standard error; empty without any.

    Args:
        path: folder of the job.
    """
    try:
        with (path / LOG).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_READ))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines if not line.startswith(MODULES)).strip()[-LOG_END:]
