"""`train`: start or resume a run."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cl_core.cli.options import Commands, add_command, add_device, add_save_every
from cl_core.errors import EXIT_USER_ERROR, UserError
from cl_core.runs.options import add_settings, given_settings

if TYPE_CHECKING:
    from cl_core.training.distributed import World

MAIN_REPORTS_S = 20.0


def add_parser(commands: Commands) -> None:
    from cl_core.runs.config import RunConfig
    from cl_core.runs.presets import PRESETS

    parser = add_command(commands, "train", train, "Train a model; resumes an unfinished run.")
    # torchrun takes --run for an abbreviation of its own --run-path.
    parser.add_argument("--run", "--run-dir", type=Path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--like", metavar="NAME|DIR", help="take the settings of this run; options given here override them")
    parser.add_argument("--preset", choices=PRESETS, help="settings to start from; options given here override them")
    add_save_every(parser)
    add_device(parser)
    add_settings(parser, RunConfig)


def train(arguments: argparse.Namespace) -> int:
    from cl_core.training.distributed import start_processes

    with start_processes(arguments.device) as (world, device):
        try:
            return _train(arguments, world, device)
        except (UserError, ValidationError):
            if world.is_main:
                raise
            # The main process alone prints the error. torchrun ends all processes when one ends: give it time to do so.
            time.sleep(MAIN_REPORTS_S)
            return EXIT_USER_ERROR


def _train(arguments: argparse.Namespace, world: World, device: str) -> int:
    from cl_core.cli.follow import follow
    from cl_core.runs.config import RunConfig
    from cl_core.runs.presets import PRESETS
    from cl_core.system.device import choose_device
    from cl_core.training.loop import Logged, Snapshot
    from cl_core.training.recorder import merge, start

    settings = given_settings(arguments, RunConfig)
    if arguments.preset:
        settings = merge(PRESETS[arguments.preset], settings)
    if arguments.like:
        from cl_core.runs.store import find_run

        settings = merge(find_run(arguments.like).read_record().config.model_dump(), settings)
    recorder = start(arguments.run, settings, choose_device(device), world)
    if recorder is None:
        _print(world, f"The run in {arguments.run} is finished; choose another folder to train again.")
        return 0
    accuracy = ""

    def report(bar: Any, event: Any) -> None:
        nonlocal accuracy
        if isinstance(event, Logged):
            bar.set_postfix_str(f"loss {event.loss:.3f} (chance {event.chance:.2f}){accuracy}", refresh=False)
        elif isinstance(event, Snapshot):
            accuracy = f", kNN {event.knn.accuracy:.1%}" if event.knn else ""
            bar.write(f"epoch {event.epoch:.1f}: {event.sentence}{accuracy.replace(',', ';')}", file=sys.stderr)

    if not follow(recorder.events(arguments.save_every), recorder.training, report, world):
        return 130
    metrics = recorder.record.metrics
    _print(world, f"Finished: {arguments.run}")
    if "knn" in metrics:
        _print(world, f"kNN {metrics['knn']['accuracy']:.1%} on feature h: {metrics['protocol']}")
    if "health" in metrics:
        _print(world, f"It is {metrics['health']['sentence']}")
    return 0


def _print(world: World, line: str) -> None:
    if world.is_main:
        print(line)
