"""`train`: start or go on with a run."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from cl_core.commands.options import given_settings


def train(arguments: argparse.Namespace) -> int:
    from cl_core.commands.follow import follow
    from cl_core.device import choose_device
    from cl_core.training import session as sessions
    from cl_core.training.config import RunConfig
    from cl_core.training.loop import Logged, Snapshot

    settings = given_settings(arguments, RunConfig)
    if arguments.like:
        from cl_core.runs import find_run

        settings = sessions.merge(find_run(arguments.like).read_record().config.model_dump(), settings)
    session = sessions.start(arguments.run, settings, choose_device(arguments.device))
    if session is None:
        print(f"The run in {arguments.run} is finished; choose another folder to train again.")
        return 0
    last = ""

    def report(bar: Any, event: Any) -> None:
        nonlocal last
        if isinstance(event, Logged):
            bar.set_postfix_str(f"loss {event.loss:.3f} (chance {event.chance:.2f}){last}", refresh=False)
        elif isinstance(event, Snapshot):
            last = f", kNN {event.knn.accuracy:.1%}"
            bar.write(f"epoch {event.epoch:.1f}: {event.words}; kNN {event.knn.accuracy:.1%}", file=sys.stderr)

    if not follow(session.events(arguments.save_every), session.training, report):
        return 130
    print(f"Finished: {arguments.run}")
    figures = session.record.figures
    if "knn" in figures:
        print(f"kNN {figures['knn']['accuracy']:.1%} on feature h: {figures['protocol']}")
        print(f"It is {figures['health']['words']}")
    return 0
