"""A training run in pieces: as long as a GPU is lent, or until the page that watches it asks it to stop.

The run folder carries a run from one piece to the next, and whoever watches reads it there.
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
from cl_core.errors import EXIT_USER_ERROR, UserError, from_validation
from cl_core.runs.config import RunConfig, RunState
from cl_core.runs.events import StepDone
from cl_core.runs.folder import RunFolder
from cl_core.system.device import choose_device
from cl_core.system.zero_gpu import on_zero_gpu
from cl_core.training.estimate import check_affordable, memory_limit
from cl_core.training.recorder import begin, start

LENT_PIECE_S = 35.0  # of the call's 60: starting, the last snapshot and saving take the rest
STEP_PATIENCE_S = 3.0  # from the request to stop until a step that still runs is cut off; with that it takes less than 5 s
SAVE_PATIENCE_S = 60.0  # more, for a save that has begun
EXIT_CUT_OFF = 75  # of a process that ended in the middle of a step
SAVING, STEPPING = "saving", "stepping"  # lines on standard output: what the process does from now on


def train_piece(
    path: Path,
    settings: dict[str, Any],
    device: torch.device,
    stop: Callable[[], bool],
    saving: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> RunState:
    """Train the run in `path` until it is finished, or until `stop` is true at the end of a step; gives its state then.

    A run that cannot be afforded here is not started. One that has saved something is resumed in any case. It is saved
    after each step that takes longer than `STEP_PATIENCE_S`, so that to cut off the next one loses only that.

    Args:
        saving: gives what each save happens within.

    Raises: as `session.start`, `Session.events` and `check_affordable`.
    """
    begun = begin(RunFolder(path), RunConfig, settings)
    if begun and not begun[1]:
        check_affordable(begun[0], load_dataset(begun[0].dataset), device)
    session = start(path, settings, device)
    if session is None:
        return "finished"
    session.saving = saving
    with closing(session.events(slow_step_s=STEP_PATIENCE_S)) as events:
        for event in events:
            if isinstance(event, StepDone) and event.step < session.training.total and stop():
                break  # closing saves
    return session.record.state


NO_MEMORY = "This training needs more memory than there is: choose a smaller batch_size, image_size or encoder."


def attempt(train: Callable[[], RunState]) -> tuple[RunState | None, str]:
    """What `train` gives, or none and the sentence that says why."""
    try:
        return train(), ""
    except UserError as error:
        return None, str(error)
    except ValidationError as error:
        return None, str(from_validation(error))
    except (MemoryError, torch.OutOfMemoryError):
        return None, NO_MEMORY
    except RuntimeError as error:
        if "memory" not in str(error):  # torch has no class of its own for it on the processor
            raise
        return None, NO_MEMORY


@on_zero_gpu
def train_lent_piece(path: str, settings: dict[str, Any]) -> tuple[RunState | None, str]:
    """`attempt` to `train_piece` for as long as a call has the GPU; of an error, only its name would cross to the caller."""
    until = time.monotonic() + LENT_PIECE_S
    return attempt(lambda: train_piece(Path(path), settings, choose_device(), lambda: time.monotonic() > until))


def _report(line: str) -> None:
    """Write a line to standard output, past its buffer; it is lost where nobody reads any more."""
    with contextlib.suppress(OSError):
        os.write(1, f"{line}\n".encode())


class StopRequest:
    """The request to stop a run, which is the end of `stream`; it is true at the end of a step from then on.

    Where the step takes longer than `STEP_PATIENCE_S` from then, the process ends in the middle of it: what was saved
    before stays. A save is not cut off; it has `SAVE_PATIENCE_S` more.

    Args:
        end: ends the process with an exit code.
    """

    def __init__(self, stream: TextIO, end: Callable[[int], Any] = os._exit) -> None:
        self._stream, self._end = stream, end
        self._made, self._granted, self._saving = threading.Event(), False, threading.RLock()
        threading.Thread(target=self._watch, daemon=True).start()

    def __call__(self) -> bool:
        """Whether to stop here; if so, what follows is saving."""
        if self._made.is_set() and not self._granted:
            self._saving.acquire()  # never released: the process saves and ends
            self._granted = True
            _report(SAVING)
        return self._granted

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """What happens inside is not cut off."""
        with self._saving:
            _report(SAVING)
            yield
            if not self._granted:
                _report(STEPPING)

    def _watch(self) -> None:
        self._stream.read()
        self._made.set()
        time.sleep(STEP_PATIENCE_S)
        self._saving.acquire(timeout=SAVE_PATIENCE_S)
        self._end(EXIT_CUT_OFF)


def main() -> int:
    """One piece in this process: `{"path": ..., "settings": {...}}` on standard input's first line; its end asks to stop.

    So a run ends with the program that began it, however that ends. Standard output has the lines `SAVING` and `STEPPING`,
    and at the end the sentence of an error.
    """
    asked = json.loads(sys.stdin.readline())
    stop = StopRequest(sys.stdin)
    device = choose_device()
    if device.type == "cpu":
        _limit_memory()
    _, problem = attempt(lambda: train_piece(Path(asked["path"]), asked["settings"], device, stop, stop.saving))
    if not problem:
        return 0
    _report(problem)
    return EXIT_USER_ERROR


def _limit_memory() -> None:
    """Let a run that asks for too much fail, rather than the whole machine with the page."""
    most = memory_limit()
    if sys.platform == "linux" and most:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    sys.exit(main())
