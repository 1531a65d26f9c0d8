"""A training in pieces: as long as a GPU is lent, or until the page that watches it says stop.

The run folder carries a training from one piece to the next, and whoever watches reads it there.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from cl_core.device import choose_device
from cl_core.errors import EXIT_USER_ERROR, UserError, from_validation
from cl_core.host import memory_gb
from cl_core.training.config import RunState
from cl_core.training.events import StepDone
from cl_core.training.session import start
from cl_core.zero_gpu import on_lent_gpu

LENT_PIECE_S = 35.0  # of the call's 60: starting, the last snapshot and saving take the rest
MEMORY_SHARE = 0.7  # of the machine's, for a training on the processor; the page has the rest


def train_piece(path: Path, settings: dict[str, Any], device: torch.device, stop: Callable[[], bool]) -> RunState:
    """Train the run in `path` until it is finished, or `stop` says so at the end of a step; gives what it is then.

    Raises: as `session.start` and `Session.events`.
    """
    session = start(path, settings, device)
    if session is None:
        return "finished"
    with closing(session.events()) as events:
        for event in events:
            if isinstance(event, StepDone) and event.step < session.training.total and stop():
                break  # closing saves
    return session.record.state


NO_MEMORY = "This training needs more memory than there is: choose a smaller batch, picture or encoder."


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


@on_lent_gpu
def train_lent_piece(path: str, settings: dict[str, Any]) -> tuple[RunState | None, str]:
    """`attempt` to `train_piece` for as long as a call has the GPU; of an error, only its name would cross to the caller."""
    until = time.monotonic() + LENT_PIECE_S
    return attempt(lambda: train_piece(Path(path), settings, choose_device(), lambda: time.monotonic() > until))


def main() -> int:
    """One piece in this process: `{"path": ..., "settings": {...}}` on standard input's first line, whose end is the stop.

    So a training ends, saved, with the program that began it, however that ends. An error is said on standard output.
    """
    asked = json.loads(sys.stdin.readline())
    over = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    device = choose_device()
    if device.type == "cpu":
        _limit_memory()
    _, problem = attempt(lambda: train_piece(Path(asked["path"]), asked["settings"], device, over.is_set))
    if not problem:
        return 0
    print(problem)
    return EXIT_USER_ERROR


def _limit_memory() -> None:
    """Let a training that asks for too much fail, rather than the whole machine with the page."""
    if sys.platform == "linux" and (gigabytes := memory_gb()):
        import resource

        most = int(gigabytes * 1e9 * MEMORY_SHARE)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    sys.exit(main())
