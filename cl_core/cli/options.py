"""What the parsers of several commands share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from cl_core.errors import quoted
from cl_core.text import text

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Call = Callable[[argparse.Namespace], int]
SCRIPT = "contrastive-explorer"


def program() -> str:
    """How the program was started: `contrastive-explorer` or `python -m cl_core`."""
    return SCRIPT if Path(sys.argv[0]).stem == SCRIPT else "python -m cl_core"


def add_command(commands: Commands, name: str, call: Call, description: str) -> argparse.ArgumentParser:
    """Add the parser of a command; `call` runs it and returns the exit code."""
    parser = commands.add_parser(name, help=description, description=description)
    parser.set_defaults(call=call)
    return parser


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[[float], None]]:
    """A bar of 100 % that appears after a second and goes when it is full, and the function that sets it to a fraction."""
    from tqdm import tqdm

    with tqdm(total=100, unit="%", desc=name, file=sys.stderr, leave=False, delay=1) as bar:
        yield lambda fraction: bar.update(round(100 * fraction) - bar.n) and None


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def add_save_every(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--save-every", type=float, default=30, metavar="S", help="seconds between saves (default: 30)")


def add_image_size(parser: argparse.ArgumentParser, option: str, description: str) -> None:
    parser.add_argument(option, type=_side, default=0, metavar="PX", help=description)


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    about = "name of a shipped, trained or pulled run (OWNER/NAME[@REVISION]), or a run folder"
    parser.add_argument("--checkpoint", required=True, metavar="NAME|DIR", help=about)


def add_gallery(parser: argparse.ArgumentParser) -> None:
    """Add `--gallery`; an address in the environment shows no password in the list of processes."""
    parser.add_argument(
        "--gallery",
        default=os.environ.get("CL_GALLERY", ""),
        metavar="postgresql://...",
        help="database with pgvector for galleries of more than 500,000 images (CL_GALLERY; default: a file in the cache)",
    )


def positive(given: str) -> int:
    """The type of options that take a whole number of at least 1."""
    if not given.isdecimal() or int(given) < 1:
        raise argparse.ArgumentTypeError(text("cli.positive", given=quoted(given)))
    return int(given)


def _side(given: str) -> int:
    if not given.isdecimal() or not 8 <= int(given) <= 512:
        raise argparse.ArgumentTypeError(text("cli.side", given=quoted(given)))
    return int(given)
