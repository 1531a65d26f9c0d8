"""Training runs beside the page, one at a time: in a process of their own, or call by call on a lent GPU.

The progress of a job is read from its run folder. A job continues when the page is closed. When the program ends, it saves
and stops at the end of its step; a step that takes too long is aborted, and the last save stays. Further runs wait in an order;
their settings are stored in their folders, so that they can be started after a restart, too.
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
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Literal

from cl_core.errors import UserError, error_from_json, quoted
from cl_core.runs.folder import LOG, WAITING, RunFolder
from cl_core.system import zero_gpu
from cl_core.system.files import write_json
from cl_core.system.host import CGROUP, cores
from cl_core.system.paths import ROOT, cache_dir
from cl_core.training.job_process import (
    EXIT_ABORTED,
    SAVE_GRACE_S,
    SAVING,
    STEP_GRACE_S,
    STEPPING,
    train_on_lent_gpu,
)
from cl_core.training.tournament import FILE as TOURNAMENT_FILE

Work = Literal["job", "contest"]
KILLED = 9  # signal
LOG_END, LOG_READ = 4_000, 64_000  # characters of the log that are shown, bytes that are read
MODULES = "Extension modules:"  # a list of thousands of characters that ends the report of a crash
MOST_WAITING = 50
MOST_REMEMBERED = 100  # jobs whose end is known
MARGIN_S = 0.5  # time for a process to end by itself, and again after each signal
CRASHES = {number for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL") if (number := getattr(signal, name, 0))}
# One core is left to the page. Threads on all cores wait for one another whenever the page works: on two cores 340 pairs a
# second while it is idle, but 20 while it answers; with one thread 200 in both cases.
THREADS = max(1, cores() - 1)


class Job:
    """A run trained in the background, or a comparison of methods, until it is finished, stopped, or `seconds` have passed.

    path: its folder. work: what the process does. ended: called when it has ended. context: of the
    caller, by default the present one; it tells the lender of a GPU whose quota to charge.
    """

    def __init__(
        self,
        path: Path,
        settings: dict[str, Any],
        seconds: float | None,
        work: Work = "job",
        ended: Callable[[], None] = lambda: None,
        context: contextvars.Context | None = None,
    ) -> None:
        self.path = path.resolve()
        self._at_end, self._ended = ended, threading.Event()
        self._module = f"{work}_process"
        self._problem: UserError | None = None
        self._settings, self._stop = settings, threading.Event()
        self._until = None if seconds is None else time.monotonic() + seconds
        context = context or contextvars.copy_context()
        train = self._train_on_lent_gpu if zero_gpu.ON_ZERO_GPU and work == "job" else self._train_in_process
        self._thread = threading.Thread(target=context.run, args=(self._run, train), daemon=True)
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
        if RunFolder(self.path).exists() or (self.path / TOURNAMENT_FILE).exists():
            return UserError("training.killed_resumable", signal=number)
        return UserError("training.killed", signal=number)

    def _run_process(self) -> _ProcessEnd:
        with _log_file(self.path / LOG) as log:
            process = subprocess.Popen(
                # In a crash the log gets the line of Python that was running.
                [sys.executable, "-X", "faulthandler", "-m", f"cl_core.training.{self._module}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                cwd=ROOT,
                env={"OMP_NUM_THREADS": str(THREADS), **os.environ, "CL_CACHE_DIR": str(cache_dir())},
                start_new_session=True,  # Ctrl-C reaches only the page, whose end closes the pipe
            )
        assert process.stdin and process.stdout
        reports = _Reports(process.stdout)
        try:
            with contextlib.suppress(BrokenPipeError):  # the process has ended; its exit code has the reason
                process.stdin.write(json.dumps({"path": str(self.path), "settings": self._settings}) + "\n")
                process.stdin.flush()
            while process.poll() is None and not self._stop.wait(0.2) and not self._must_stop():
                pass
        finally:
            stopped = process.poll() is None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            _wait_for_end(process, reports)
        code = process.returncode
        return _ProcessEnd(code, reports.problem(), stopped and (code == EXIT_ABORTED or code < 0))


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


def oom_counters() -> list[Path]:
    """Files in which Linux counts the processes it killed for lack of memory, this process's own control group first."""
    files = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                files += [CGROUP / path.strip("/") / "memory.events", CGROUP / "memory.events"]
            elif "memory" in controllers.split(","):
                root = CGROUP / "memory"
                files += [root / path.strip("/") / "memory.oom_control", root / "memory.oom_control"]
    return [*files, Path("/proc/vmstat")]  # of the whole machine, where there is no control group


def oom_kills(files: Iterable[Path] | None = None) -> int:
    """Number of processes killed for lack of memory, from the first of `files` that has it; 0 where none does.

    Args:
        files: with a line `oom_kill N`, by default `oom_counters()`.
    """
    for file in oom_counters() if files is None else files:
        with contextlib.suppress(OSError):
            found = re.search(r"^oom_kill (\d+)$", file.read_text(encoding="ascii"), re.MULTILINE)
            if found:
                return int(found[1])
    return 0


def waiting_settings(path: Path) -> dict[str, Any] | None:
    """Settings of a run that was to start; None where none was, or its folder is gone."""
    try:
        settings = json.loads((path / WAITING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return settings if isinstance(settings, dict) else None


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


@dataclasses.dataclass(frozen=True)
class _Waiting:
    """A run that starts when those before it have ended."""

    path: Path
    settings: dict[str, Any]
    seconds: float | None
    context: contextvars.Context


@dataclasses.dataclass(frozen=True)
class JobState:
    """What happens to a run at one moment.

    place: among the runs that wait, from 1, of `waiting`; 0 if it does not wait. problem: the error that ended it.
    """

    running: bool
    stopping: bool
    place: int
    waiting: int
    problem: str


class Jobs:
    """The training jobs of one program; one runs at a time, and further runs wait for it in an order."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._last: Job | None = None
        self._queue: list[_Waiting] = []
        self._jobs: dict[Path, Job] = {}  # the latest of each run, the oldest first

    @property
    def running(self) -> Path | None:
        """Folder of the run that is being trained, or None."""
        return self._last.path if self._last and self._last.running else None

    @property
    def latest(self) -> Path | None:
        """Folder of the job that was started last, running or not."""
        return self._last.path if self._last else None

    def start(self, path: Path, settings: dict[str, Any], seconds: float | None = None, work: Work = "job") -> Job | None:
        """Train the run in `path`, new or unfinished, or compare methods there; None while another job runs."""
        with self._lock:
            if self.running:
                return None
            return self._begin(path, settings, seconds, work)

    def _begin(
        self,
        path: Path,
        settings: dict[str, Any],
        seconds: float | None,
        work: Work = "job",
        context: contextvars.Context | None = None,
    ) -> Job:
        job = self._last = Job(path, settings, seconds, work, lambda: self._job_ended(path), context)
        self._jobs.pop(job.path, None)
        self._jobs[job.path] = job
        while len(self._jobs) > MOST_REMEMBERED:
            self._jobs.pop(next(iter(self._jobs)))
        return job

    def enqueue(self, path: Path, settings: dict[str, Any], seconds: float | None = None) -> None:
        """Train the run in `path`, new or unfinished, as soon as all before it have ended.

        Raises:
            UserError: too many runs wait, or the settings cannot be stored.
        """
        with self._lock:
            if path.resolve() in (self.running, *self.waiting):
                return
            if len(self._queue) >= MOST_WAITING:
                raise UserError("training.queue_full", most=MOST_WAITING)
            if settings:  # a run that was begun has them in its record
                write_json(path / WAITING, settings)
            self._queue.append(_Waiting(path.resolve(), settings, seconds, contextvars.copy_context()))
            self._start_next()

    def _job_ended(self, path: Path) -> None:
        if RunFolder(path).exists():  # else it ended before it was begun, and can be started again
            (path / WAITING).unlink(missing_ok=True)
        self._start_next()

    def _start_next(self) -> None:
        with self._lock:
            while self._queue and not self.running:
                first = self._queue.pop(0)
                if first.path.is_dir():  # else it was removed
                    self._begin(first.path, first.settings, first.seconds, context=first.context)

    @property
    def active(self) -> list[Path]:
        """Folders of the run that is being trained and of those that wait, in this order, at one moment."""
        with self._lock:
            return [*([self.running] if self.running else []), *self.waiting]

    @property
    def waiting(self) -> list[Path]:
        """Folders of the runs that wait, the next one first."""
        return [each.path for each in self._queue]

    def place(self, path: Path) -> int:
        """Place of a run among those that wait, from 1; 0 if it does not wait."""
        waiting = self.waiting
        return waiting.index(path.resolve()) + 1 if path.resolve() in waiting else 0

    def state_of(self, path: Path) -> JobState:
        """What happens to the run in `path`."""
        with self._lock:
            running = self.trains(path)
            return JobState(running, running and self.stopping, self.place(path), len(self._queue), self.problem(path))

    def pause(self, path: Path) -> None:
        """Stop the run in `path` as `stop` does, or let it wait no longer; no other run is touched."""
        with self._lock:
            if self.trains(path):
                self.stop()
            self.forget(path)

    def move_to_front(self, path: Path) -> None:
        """Let a run that waits be the next one."""
        with self._lock:
            self._queue.sort(key=lambda each: each.path != path.resolve())

    def forget(self, path: Path) -> None:
        """Let a run wait no longer; its settings stay in its folder."""
        with self._lock:
            self._queue = [each for each in self._queue if each.path != path.resolve()]

    def trains(self, path: Path) -> bool:
        """Whether the run in `path` is being trained."""
        return self.running == path.resolve()

    @property
    def stopping(self) -> bool:
        """Whether the running job was asked to stop."""
        return bool(self._last and self._last.running and self._last.stop_requested)

    def stop(self) -> None:
        """Stop the running job within 5 s; on a lent GPU at the end of the call.

        The run is saved at the end of its step. A step that takes longer is aborted: the last save stays, and the run's state
        stays "running". A save is not aborted, so it may take longer than 5 s.
        """
        if self._last:
            self._last.stop()

    def problem(self, path: Path) -> str:
        """The error that ended the latest job of the run in `path`, in the language in effect; empty without one."""
        job = self._jobs.get(path.resolve())
        return job.problem if job else ""
