"""Training a run until it is finished or a stop is requested: in a background process, or in a call with a lent GPU.

Processes and calls pass the state of the run on in its folder, where the page reads its progress.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any, TextIO

import torch
from pydantic import ValidationError

from cl_core.data.registry import load_dataset
from cl_core.errors import EXIT_USER_ERROR, UserError, error_to_json, from_validation, is_out_of_memory
from cl_core.runs.config import RunConfig, RunState
from cl_core.runs.events import StepDone
from cl_core.runs.folder import RunFolder
from cl_core.system.device import choose_device
from cl_core.system.pipes import report
from cl_core.system.zero_gpu import on_zero_gpu
from cl_core.training.estimate import check_affordable, limit_memory
from cl_core.training.recorder import resolve_settings, start

LENT_GPU_S = 35.0  # of the call's 60: starting, the last snapshot and saving take the rest
STEP_GRACE_S = 3.0  # from the request to stop until a running step is aborted; stopping then takes less than 5 s
SAVE_GRACE_S = 60.0  # more, for a save in progress
EXIT_ABORTED = 75  # exit code of a process that ended in the middle of a step
SAVING, STEPPING = "saving", "stepping"  # lines on standard output: what the process does from now on


def train_until(
    path: Path,
    settings: dict[str, Any],
    device: torch.device,
    stop: Callable[[], bool],
    saving: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> RunState:
    """Train the run in `path` until it is finished, or until `stop` is true at the end of a step; returns its state.

    A new run must be affordable here, see `check_affordable`; a run that has saved something is resumed in any case. The
    run is saved after each step that takes longer than `STEP_GRACE_S`, so that aborting the next one loses only that.

    Args:
        saving: gives the context manager around each save.

    Raises: as `recorder.start`, `ImageRecorder.events` and `check_affordable`.
    """
    begun = resolve_settings(RunFolder(path), RunConfig, settings)
    if begun and not begun[1]:
        check_affordable(begun[0], load_dataset(begun[0].dataset), device)
    recorder = start(path, settings, device)
    if recorder is None:
        return "finished"
    recorder.saving = saving
    with closing(recorder.events(slow_step_s=STEP_GRACE_S)) as events:
        for event in events:
            if isinstance(event, StepDone) and event.step < recorder.training.total and stop():
                break  # closing saves
    return recorder.record.state


def attempt(train: Callable[[], RunState]) -> tuple[RunState | None, UserError | None]:
    """The result of `train`, or the error that a person can solve."""
    try:
        return train(), None
    except UserError as error:
        return None, error
    except ValidationError as error:
        return None, from_validation(error)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return None, UserError("training.no_memory")


@on_zero_gpu
def train_on_lent_gpu(path: str, settings: dict[str, Any]) -> tuple[RunState | None, UserError | None]:
    """`train_until` for as long as one call has the GPU. Errors are returned: of a raised one only the name is transferred."""
    until = time.monotonic() + LENT_GPU_S
    return attempt(lambda: train_until(Path(path), settings, choose_device(), lambda: time.monotonic() > until))


class StopOnClose:
    """A request to stop, made by closing `stream`; calls return True at the end of a step from then on.

    If the running step takes longer than `STEP_GRACE_S` from then, the process ends in the middle of it, and the last save
    stays. A save in progress has `SAVE_GRACE_S` more.

    Args:
        end: ends the process with an exit code.
    """

    def __init__(self, stream: TextIO, end: Callable[[int], Any] = os._exit) -> None:
        self._stream, self._end = stream, end
        self._made, self._granted, self._saving = threading.Event(), False, threading.RLock()
        threading.Thread(target=self._watch, daemon=True).start()

    def __call__(self) -> bool:
        """Whether to stop after this step; if so, the process must save and end."""
        if self._made.is_set() and not self._granted:
            self._saving.acquire()  # never released: the process saves and ends
            self._granted = True
            report(SAVING)
        return self._granted

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """A save, which is not aborted."""
        with self._saving:
            report(SAVING)
            yield
            if not self._granted:
                report(STEPPING)

    def _watch(self) -> None:
        self._stream.read()
        self._made.set()
        time.sleep(STEP_GRACE_S)
        self._saving.acquire(timeout=SAVE_GRACE_S)
        self._end(EXIT_ABORTED)


def main() -> int:
    """Train a run in this process, see `run_job`."""
    return run_job(lambda path, settings, device, stop: train_until(path, settings, device, stop, stop.saving))


def run_job(work: Callable[[Path, dict[str, Any], torch.device, StopOnClose], RunState]) -> int:
    """Call `work` with the request on standard input; returns the exit code of the process.

    The first line of standard input is `{"path": ..., "settings": {...}}`, closing it requests a stop: so the work stops with
    the program that started it, however that ends. Standard output has the lines `SAVING` and `STEPPING`, and at the end an
    error as JSON.
    """
    job = json.loads(sys.stdin.readline())
    stop, device = StopOnClose(sys.stdin), choose_device()
    if device.type == "cpu":
        limit_memory()
    _, problem = attempt(lambda: work(Path(job["path"]), job["settings"], device, stop))
    if problem is None:
        return 0
    report(json.dumps(error_to_json(problem), default=str))
    return EXIT_USER_ERROR


if __name__ == "__main__":
    sys.exit(main())
