"""Run a training loop with a progress bar; Ctrl-C stops it without losing a step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import Any

from cl_core.runs.events import StepDone
from cl_core.system.stop import StopRequest
from cl_core.training.distributed import World
from cl_core.training.recorder import TrainingLoop

VOTE_EVERY = 10  # steps, of several processes


def follow(
    events: Generator[Any], training: TrainingLoop[Any], report: Callable[[Any, Any], None], world: World | None = None
) -> bool:
    """Train to the end, or until a stop is requested; returns whether the end was reached.

    Args:
        report: called as `report(bar, event)` with every event other than `StepDone`.
        world: the processes that train together; the main one prints, and all stop when one of them is to stop.
    """
    from tqdm import tqdm

    stop, world = StopRequest(), world or World()
    bar = tqdm(total=training.total, initial=training.step, unit="step", file=sys.stderr, disable=not world.is_main)
    with bar:
        for event in events:
            if not isinstance(event, StepDone):
                report(bar, event)
                continue
            bar.update(event.step - bar.n)
            # Asking the other processes waits for a GPU's work.
            asked = world.size == 1 or event.step % VOTE_EVERY == 0
            if asked and world.any(stop.requested) and event.step < training.total:
                events.close()
                bar.close()
                if world.is_main:
                    print(
                        f"\nStopped at step {event.step:,} of {training.total:,}; the same command resumes from there.",
                        file=sys.stderr,
                    )
                return False
    return True
