"""The jobs of one program: one runs at a time, and further ones wait in an order.

The settings of those that wait are stored in their folders, so that they can be started after a restart, too.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path
from typing import Any

from cl_core.errors import UserError
from cl_core.runs.folder import WAITING
from cl_core.system.files import write_json
from cl_core.training.job import Job, JobRequest, Work, has_begun

MAX_WAITING = 50
MAX_REMEMBERED = 100  # jobs whose end is known


def waiting_settings(path: Path) -> dict[str, Any] | None:
    """Settings of a run that was to start; None where none was, or its folder is gone."""
    try:
        settings = json.loads((path / WAITING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return settings if isinstance(settings, dict) else None


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
        self._queue: list[JobRequest] = []
        self._jobs: dict[Path, Job] = {}  # the latest of each run, the oldest first

    @property
    def running(self) -> Path | None:
        """Folder of the run that is being trained, or None."""
        return self._last.path if self._last and self._last.running else None

    def start(self, path: Path, settings: dict[str, Any], seconds: float | None = None, work: Work = "job") -> Job | None:
        """Train the run in `path`, new or unfinished, or compare methods there; None while another job runs."""
        with self._lock:
            return None if self.running else self._begin(JobRequest(path, settings, seconds, work))

    def enqueue(self, path: Path, settings: dict[str, Any], seconds: float | None = None, work: Work = "job") -> None:
        """Train the run in `path`, or compare methods there, as soon as all before it have ended.

        Raises:
            UserError: too many runs wait, or the settings cannot be stored.
        """
        with self._lock:
            if path.resolve() in (self.running, *self.waiting):
                return
            if len(self._queue) >= MAX_WAITING:
                raise UserError("training.queue_full", most=MAX_WAITING)
            if settings:  # what was begun has them in its record
                write_json(path / WAITING, settings)
            self._queue.append(JobRequest(path.resolve(), settings, seconds, work))
            self._start_next()

    def _begin(self, task: JobRequest) -> Job:
        job = self._last = Job(task, lambda: self._job_ended(task.path))
        self._jobs.pop(job.path, None)
        self._jobs[job.path] = job
        while len(self._jobs) > MAX_REMEMBERED:
            self._jobs.pop(next(iter(self._jobs)))
        return job

    def _job_ended(self, path: Path) -> None:
        if has_begun(path):  # else it ended before that, and can be started again
            (path / WAITING).unlink(missing_ok=True)
        self._start_next()

    def _start_next(self) -> None:
        with self._lock:
            while self._queue and not self.running:
                first = self._queue.pop(0)
                if first.path.is_dir():  # else it was removed
                    self._begin(first)

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
            running = self.is_training(path)
            return JobState(running, running and self.stopping, self.place(path), len(self._queue), self.problem(path))

    def pause(self, path: Path) -> None:
        """Stop the run in `path` as `stop` does, or let it wait no longer; no other run is touched."""
        with self._lock:
            if self.is_training(path):
                self.stop()
            self.dequeue(path)

    def move_to_front(self, path: Path) -> None:
        """Move a run to the front of the queue."""
        with self._lock:
            self._queue.sort(key=lambda each: each.path != path.resolve())

    def dequeue(self, path: Path) -> None:
        """Remove a run from the queue; its settings stay in its folder."""
        with self._lock:
            self._queue = [each for each in self._queue if each.path != path.resolve()]

    def is_training(self, path: Path) -> bool:
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
