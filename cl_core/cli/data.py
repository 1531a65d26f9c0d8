"""`data`: download a data set, or import images of one's own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cl_core.cli.options import Commands, add_image_size, progress_bar
from cl_core.errors import UserError

LISTED = 10  # skipped files


def add_parser(commands: Commands) -> None:
    description = "Download a data set, or import images of your own."
    actions = commands.add_parser("data", help=description, description=description).add_subparsers(dest="action", required=True)
    _add_get(actions)
    _add_add(actions)


def _add_get(actions: Commands) -> None:
    description = "Download a public data set, or one of the Hugging Face Hub with images in parquet files."
    parser = actions.add_parser("get", help="download a data set", description=description)
    parser.add_argument("name", metavar="NAME|OWNER/NAME")
    add_image_size(parser, "--size", "of the Hub: side of the stored images (default: their own, at most 64)")
    parser.set_defaults(call=get)


def _add_add(actions: Commands) -> None:
    description = "Import a folder or an archive. Each folder of images is a class; folders train and test (or val) are splits."
    parser = actions.add_parser("add", help="import a folder or an archive of images", description=description)
    parser.add_argument("name", metavar="NAME", help="name of the data set: small letters, digits, dots, dashes")
    parser.add_argument("images", type=Path, metavar="FOLDER|ARCHIVE", help="a folder, or a zip or tar archive")
    parser.add_argument("--title", default="", help="name to display (default: NAME)")
    parser.add_argument("--license", default="", help="license of the images")
    parser.add_argument("--licence", dest="license", default=argparse.SUPPRESS, help=argparse.SUPPRESS)  # of earlier versions
    add_image_size(parser, "--size", "side of the stored images (default: their own, at most 64)")
    parser.set_defaults(call=add)


def get(arguments: argparse.Namespace) -> int:
    from cl_core.data.downloads import get as download
    from cl_core.runs.hub_names import is_hub_name

    if is_hub_name(arguments.name):
        return _get_from_hub(arguments.name, arguments.size)
    with progress_bar(arguments.name) as progress:
        is_new = download(arguments.name, progress)
    print(f"{arguments.name} is ready: --dataset {arguments.name}" if is_new else f"{arguments.name} is on this machine already.")
    return 0


def _get_from_hub(given: str, size: int) -> int:
    from cl_core.hub.dataset import import_hub_dataset
    from cl_core.imports.jobs import new_name, used_names
    from cl_core.runs.hub_names import hub_name

    name = new_name(hub_name(given).repository.rpartition("/")[2], False, used_names())
    with progress_bar(name) as progress:
        skipped = import_hub_dataset(given, name, size, progress)
    return _report(name, skipped)


def add(arguments: argparse.Namespace) -> int:
    from cl_core.data.bundled import DATASETS, TABLES
    from cl_core.data.dataset import PUBLIC_SIZES
    from cl_core.data.downloads import DOWNLOADS
    from cl_core.data.importing import import_images

    name = arguments.name
    if name in DATASETS or name in TABLES:
        raise UserError("cli.bundled_name", name=name)
    if name in DOWNLOADS and name not in PUBLIC_SIZES:
        raise UserError("cli.public_name", name=name)
    with progress_bar(name) as progress:
        skipped = import_images(name, arguments.images, arguments.title, arguments.license, arguments.size, progress)
    return _report(name, skipped)


def _report(name: str, skipped: list[UserError]) -> int:
    """Print what was left out, and what the data set contains."""
    from cl_core.data.registry import load_dataset

    for error in skipped[:LISTED]:
        print(f"skipped: {error}", file=sys.stderr)
    if len(skipped) > LISTED:
        print(f"skipped: and {len(skipped) - LISTED:,} more", file=sys.stderr)
    data = load_dataset(name)
    print(
        f"{name}: {len(data):,} images of {data.size} px ({len(data.test):,} of them in the test split), "
        f"{len(data.classes)} classes; use it as --dataset {name}"
    )
    return 0
