"""`push`: publish a run on the Hugging Face Hub."""

from __future__ import annotations

import argparse

from cl_core.cli.options import Commands, add_command


def add_parser(commands: Commands) -> None:
    parser = add_command(commands, "push", push, "Publish a finished run on the Hugging Face Hub, with a model card.")
    parser.add_argument("run", metavar="RUN", help="a run folder or a shipped checkpoint")
    parser.add_argument("repository", metavar="OWNER/NAME", help="the repository; created if it does not exist")
    parser.add_argument("--private", action="store_true", help="create the repository as private")


def push(arguments: argparse.Namespace) -> int:
    from cl_core.hub.push import push as push_run
    from cl_core.runs.store import find_run

    print(push_run(find_run(arguments.run), arguments.repository, private=arguments.private))
    return 0
