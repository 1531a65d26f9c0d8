"""Imports in the background: each in a process of its own, one after the other."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import signal
import subprocess
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, cast

from cl_core.data.dataset import PUBLIC_SIZES
from cl_core.data.downloads import DOWNLOADS
from cl_core.data.imported import imported_dir, remove_unfinished
from cl_core.data.registry import dataset_names
from cl_core.errors import UserError, error_from_json, quoted
from cl_core.explore.model_store import trained_records
from cl_core.imports.process import ImportRequest
from cl_core.runs.folder import COMPARISONS
from cl_core.system.oom import oom_kills
from cl_core.system.paths import trained_dir
from cl_core.system.pipes import start_worker
from cl_core.system.trash import REMOVED

State = Literal["waiting", "running", "done", "stopped", "failed"]
MAX_JOBS = 200  # that are remembered
MAX_NAME = 40  # characters, without the number
SECRET_BYTES = 8
END_S = 10.0  # for a process that was asked to end


def new_name(title: str, private: bool, taken: set[str]) -> str:
    """A free name for a data set called `title`: its letters and digits, then a number.

    Args:
        private: whether nobody else may guess the name: it ends in random digits.
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain)[:MAX_NAME].strip("-") or "images"
    if private:
        return f"{stem}-{secrets.token_hex(SECRET_BYTES)}"
    folders = {each.name for each in (*imported_dir().glob("*"), *imported_dir().glob(f"{REMOVED}/*"))}
    folders |= set(dataset_names()) | set(PUBLIC_SIZES) | set(DOWNLOADS) | taken
    number, name = 1, stem
    while name in folders:
        number += 1
        name = f"{stem}-{number}"
    return name


def used_names() -> set[str]:
    """Data sets of runs and comparisons, here or removed: another one of such a name would take their place."""
    used = {record.config.dataset for record in trained_records().values()}
    return used | {folder.name.rpartition("-")[0] for folder in (trained_dir() / COMPARISONS).glob("*")}


class ImportJob:
    """An import that waits, runs, or has ended.

    Attributes:
        fraction: done, 0 to 1.
        skipped: errors of the files that were left out, at most the first 200; skipped_count: their number.
        problem: why it failed.
    """

    def __init__(self, request: ImportRequest, seconds: float | None, ended: Callable[[], None]) -> None:
        self.request = request
        self.state: State = "waiting"
        self.fraction, self.skipped, self.skipped_count = 0.0, list[UserError](), 0
        self.problem: UserError | None = None
        self.started = self.finished = 0.0  # time.monotonic()
        self._seconds, self._stop, self._ended = seconds, threading.Event(), ended

    @property
    def active(self) -> bool:
        return self.state in ("waiting", "running")

    @property
    def elapsed(self) -> float:
        """Seconds since it began; 0 before."""
        return (self.finished or time.monotonic()) - self.started if self.started else 0.0

    def stop(self) -> None:
        """End the import; an existing data set stays as it is."""
        self._stop.set()

    def run(self) -> None:
        """Import in a process and wait for its end."""
        self.started = time.monotonic()
        self.state, end = "running", cast(State, "failed")
        try:
            end = self._run_process() if not self._stop.is_set() else "stopped"
        except Exception as error:  # a name that is no UTF-8, too
            self.problem = UserError("images.no_process", reason=quoted(error))
        finally:
            self.finished = time.monotonic()
            with contextlib.suppress(OSError):
                remove_unfinished(self.request.name)
            self._ended()
            self.state = end

    def _run_process(self) -> State:
        kills = oom_kills()
        process = start_worker("cl_core.imports.process", self.request.model_dump_json(), threads=1)
        assert process.stdin and process.stdout
        reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        reader.start()
        overdue = False
        while process.poll() is None and not self._stop.wait(0.1):
            overdue = self._seconds is not None and time.monotonic() - self.started > self._seconds
            if overdue:
                break
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()  # ends a process that still works
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(1.0)
        if overdue:
            assert self._seconds is not None
            self.problem = UserError("images.too_slow", minutes=f"{self._seconds / 60:.0f}")
        elif process.returncode and not self.problem and not self._stop.is_set():
            out_of_memory = process.returncode == -signal.SIGKILL and oom_kills() > kills
            self.problem = UserError("images.no_memory") if out_of_memory else UserError("images.ended", code=process.returncode)
        if self.problem:
            return "failed"
        return "stopped" if process.returncode else "done"

    def _read(self, stream: object) -> None:
        for line in stream:  # type: ignore[attr-defined]
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                content = json.loads(line)
                if "fraction" in content:
                    self.fraction = max(self.fraction, min(1.0, float(content["fraction"])))
                elif "problem" in content:
                    self.problem = error_from_json(content["problem"])
                else:
                    self.skipped = [error_from_json(each) for each in content["skipped"]]
                    self.skipped_count = int(content["count"])


class ImportJobs:
    """The imports of one program, by the name of their data set."""

    def __init__(self) -> None:
        remove_unfinished()
        self._jobs: OrderedDict[str, ImportJob] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="import")

    def start(self, request: ImportRequest, seconds: float | None = None, ended: Callable[[], None] = lambda: None) -> ImportJob:
        """Import as soon as the imports before it have ended.

        Args:
            seconds: longest time it may take; None for no limit.
            ended: called when it has ended, however it did.

        Raises:
            UserError: this data set is being imported.
        """
        with self._lock:
            before = self._jobs.get(request.name)
            if before and before.active:
                raise UserError("images.in_progress", name=request.name)
            job = self._jobs[request.name] = ImportJob(request, seconds, ended)
            self._jobs.move_to_end(request.name)
            while len(self._jobs) > MAX_JOBS and not next(iter(self._jobs.values())).active:
                self._jobs.popitem(last=False)
        self._pool.submit(job.run)
        return job

    def get(self, name: str) -> ImportJob | None:
        """The latest import of the data set `name`."""
        with self._lock:
            return self._jobs.get(name)

    def of(self, owner: str) -> list[ImportJob]:
        """The imports of a visitor, the latest first."""
        with self._lock:
            return [job for job in reversed(self._jobs.values()) if job.request.owner == owner]

    def names(self) -> set[str]:
        """Names of the data sets that are being imported."""
        with self._lock:
            return {name for name, job in self._jobs.items() if job.active}
