"""The program: collects the commands, parses the command line, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from cl_core.cli import (
    data,
    deploy,
    encoder,
    evaluate,
    experiment,
    export,
    listing,
    project,
    pull,
    push,
    save,
    search,
    sweep,
    train,
    words,
)
from cl_core.cli.options import program
from cl_core.errors import EXIT_USER_ERROR, UserError, from_validation, is_out_of_memory, quoted

COMMANDS = (
    *(train, sweep, experiment, listing, evaluate, search, project, save, export),
    *(pull, push, encoder, deploy, data, words),
)
# Of a path that somebody gave; other errors of the operating system are ours.
PATH_ERRORS = {errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EROFS, errno.ENOSPC}
DEFAULT = ["--help"]  # the command line without arguments


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each sets `call`, its function."""
    about = "Train, explore and search with contrastive models. Without a command the app is served."
    parser = argparse.ArgumentParser(prog=program(), description=about)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    # `cl_core.__main__` starts the app before this parser is built.
    commands.add_parser("app", help="serve the app, as without a command", add_help=False)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: those after the program's name; by default `sys.argv[1:]`.

    Returns:
        The exit code: 0 for success, 2 for an error of the user, 130 for a stop by Ctrl-C.
    """
    # Before torch is imported: threads that spin while they wait are slow on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        parsed = build_parser().parse_args((sys.argv[1:] if arguments is None else arguments) or DEFAULT)
        return parsed.call(parsed)
    except ValidationError as error:
        print(f"error: {from_validation(error)}", file=sys.stderr)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        print(f"error: {UserError('system.no_memory')}", file=sys.stderr)
    except OSError as error:  # such as a name that the file system does not take
        if error.errno not in PATH_ERRORS or not isinstance(error.filename, str | bytes):
            raise
        path, reason = quoted(os.fsdecode(error.filename)), quoted(error.strerror)
        print(f"error: {UserError('system.unusable', path=path, reason=reason)}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return EXIT_USER_ERROR
