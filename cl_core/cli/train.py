"""`train`: start or go on with a run."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cl_core.errors import EXIT_USER_ERROR, UserError
from cl_core.runs.options import given_settings

if TYPE_CHECKING:
    from cl_core.training.distributed import World

FIRST_SPEAKS_S = 20.0


def train(arguments: argparse.Namespace) -> int:
    from cl_core.training.distributed import start_processes

    with start_processes(arguments.device) as (world, device):
        try:
            return _train(arguments, world, device)
        except (UserError, ValidationError):
            if world.is_main:
                raise
            # Said once is enough. torchrun ends all where one ended: the first must come to say it.
            time.sleep(FIRST_SPEAKS_S)
            return EXIT_USER_ERROR


def _train(arguments: argparse.Namespace, world: World, device: str) -> int:
    from cl_core.cli.follow import follow
    from cl_core.runs.config import RunConfig
    from cl_core.system.device import choose_device
    from cl_core.training import recorder as sessions
    from cl_core.training.loop import Logged, Snapshot

    settings = given_settings(arguments, RunConfig)
    if arguments.like:
        from cl_core.runs.store import find_run

        settings = sessions.merge(find_run(arguments.like).read_record().config.model_dump(), settings)
    session = sessions.start(arguments.run, settings, choose_device(device), world)
    if session is None:
        _say(world, f"The run in {arguments.run} is finished; choose another folder to train again.")
        return 0
    last = ""

    def report(bar: Any, event: Any) -> None:
        nonlocal last
        if isinstance(event, Logged):
            bar.set_postfix_str(f"loss {event.loss:.3f} (chance {event.chance:.2f}){last}", refresh=False)
        elif isinstance(event, Snapshot):
            last = f", kNN {event.knn.accuracy:.1%}" if event.knn else ""
            bar.write(f"epoch {event.epoch:.1f}: {event.words}{last.replace(',', ';')}", file=sys.stderr)

    if not follow(session.events(arguments.save_every), session.training, report, world):
        return 130
    metrics = session.record.metrics
    _say(world, f"Finished: {arguments.run}")
    if "knn" in metrics:
        _say(world, f"kNN {metrics['knn']['accuracy']:.1%} on feature h: {metrics['protocol']}")
    if "health" in metrics:
        _say(world, f"It is {metrics['health']['words']}")
    return 0


def _say(world: World, text: str) -> None:
    if world.is_main:
        print(text)
