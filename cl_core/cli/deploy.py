"""`deploy`: publish the app as a Space of the Hugging Face Hub."""

from __future__ import annotations

import argparse

from cl_core.cli.options import Commands, add_command


def add_parser(commands: Commands) -> None:
    parser = add_command(commands, "deploy", deploy, "Publish this app as a Space of the Hugging Face Hub, or update the Space.")
    parser.add_argument("repository", metavar="OWNER/NAME", help="the Space; created if it does not exist")
    parser.add_argument(
        "--hardware", metavar="NAME", help="cpu-basic, zero-a10g, t4-small, ... (default: unchanged; cpu-basic for a new Space)"
    )
    parser.add_argument("--checkpoints", nargs="+", metavar="NAME", help="the models to include (default: all shipped ones)")
    parser.add_argument("--dry-run", action="store_true", help="print the files and their sizes, send nothing")
    parser.add_argument("--private", action="store_true", help="create the Space as private")


def deploy(arguments: argparse.Namespace) -> int:
    from cl_core.hub import deploy as space

    if arguments.dry_run:
        files = space.space_files(arguments.checkpoints)
        sizes = {"README.md": len(space.space_readme().encode()), **{name: file.stat().st_size for name, file in files.items()}}
        for name, size in sorted(sizes.items()):
            print(f"{size:>12,}  {name}")
        print(f"{sum(sizes.values()):>12,}  bytes in {len(sizes)} files; nothing was sent")
        return 0
    print(space.deploy(arguments.repository, arguments.hardware, arguments.checkpoints, arguments.private))
    return 0
