"""`data`: bring images onto this machine."""

from __future__ import annotations

import argparse
import sys

LISTED = 10  # files that were left out


def get(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from cl_core.data.downloads import get as fetch

    with tqdm(total=100, unit="%", desc=arguments.name, file=sys.stderr) as bar:
        new = fetch(arguments.name, lambda fraction: bar.update(round(100 * fraction) - bar.n))
    print(f"{arguments.name} is ready: --dataset {arguments.name}" if new else f"{arguments.name} is on this machine already.")
    return 0


def add(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from cl_core.data.bundled import DATASETS
    from cl_core.data.imported import add_collection
    from cl_core.data.registry import load_dataset
    from cl_core.errors import UserError

    if arguments.name in DATASETS:
        raise UserError(f"{arguments.name} comes with the project: choose another name for your images.")
    with tqdm(total=100, unit="%", desc=arguments.name, file=sys.stderr) as bar:
        problems = add_collection(
            arguments.name,
            arguments.images,
            arguments.title,
            arguments.license,
            arguments.size,
            lambda fraction: bar.update(round(100 * fraction) - bar.n),
        )
    for problem in problems[:LISTED]:
        print(f"left out: {problem}", file=sys.stderr)
    if len(problems) > LISTED:
        print(f"left out: and {len(problems) - LISTED:,} more", file=sys.stderr)
    data = load_dataset(arguments.name)
    print(
        f"{arguments.name}: {len(data):,} images of {data.size} px, {len(data.classes)} classes, "
        f"{len(data.test):,} of them to test; use it as --dataset {arguments.name}"
    )
    return 0
