"""A training with a progress bar, stopped by Ctrl-C without losing a step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import Any

from cl_core.cli.stop import StopRequest
from cl_core.runs.events import StepDone
from cl_core.training.distributed import World
from cl_core.training.recorder import Trains


def follow(events: Generator[Any], training: Trains[Any], report: Callable[[Any, Any], None], world: World | None = None) -> bool:
    """Run to the end, and say whether it was reached; `report(bar, event)` gets what is not the end of a step.

    Of several processes the first one speaks, and all stop where one is asked to.
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
            if world.any(stop.requested) and event.step < training.total:
                events.close()
                bar.close()
                if world.is_main:
                    print(
                        f"\nStopped at step {event.step:,} of {training.total:,}; the same command goes on from there.",
                        file=sys.stderr,
                    )
                return False
    return True
