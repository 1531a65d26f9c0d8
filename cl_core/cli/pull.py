"""`pull`: download a run from the Hugging Face Hub."""

from __future__ import annotations

import argparse

from cl_core.cli.options import Commands, add_command, program


def add_parser(commands: Commands) -> None:
    parser = add_command(commands, "pull", pull, "Download a run from the Hugging Face Hub, for use without network.")
    parser.add_argument("repository", metavar="OWNER/NAME[@REVISION]", help="revision: branch, tag or commit (default: main)")


def pull(arguments: argparse.Namespace) -> int:
    from cl_core.hub.pull import pull as pull_run

    folder = pull_run(arguments.repository)
    config = folder.read_record().config
    print(f"{folder.name} at {folder.commit[:12]}: {config.method} with {config.encoder} on {config.dataset}")
    print(f"Use it like any run: {program()} search --checkpoint {folder.name} IMAGE")
    return 0
