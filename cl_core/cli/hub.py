"""`pull`, `push`, `encoder` and `deploy`: runs from the Hugging Face Hub and onto it, and the app as a Space."""

from __future__ import annotations

import argparse
import sys


def pull(arguments: argparse.Namespace) -> int:
    from cl_core.hub.pull import pull as pull_run

    folder = pull_run(arguments.repository)
    record = folder.read_record()
    print(
        f"{folder.name} at {folder.commit[:12]}: {record.config.method} with {record.config.encoder} on {record.config.dataset}"
    )
    print(f"Use it as any run: python -m cl_core search --checkpoint {folder.name} IMAGE")
    return 0


def encoder(arguments: argparse.Namespace) -> int:
    from cl_core.hub.recommended import LEARNED, RECOMMENDED

    if arguments.repository is None:
        for each in RECOMMENDED:
            size = f"{each.megabytes:>4} MB {each.a_second:>3} images/s"
            print(f"{each.repository:<54}{LEARNED[each.learned]:<22}{each.year} {each.license:<11}{size}")
        print("Images a second: at 224 px, on two cores with bf16, no GPU.")
        return 0
    from tqdm import tqdm

    from cl_core.hub.encoder import look, wrap

    folder = wrap(arguments.repository, arguments.dataset, arguments.image_size)
    with tqdm(
        total=1.0, desc="look", file=sys.stderr, leave=False, delay=1, bar_format="{l_bar}{bar}| {elapsed}<{remaining}"
    ) as bar:
        for share in look(folder):
            bar.update(share - bar.n)
    metrics = folder.read_record().metrics
    accuracy = f", kNN {metrics['knn']['accuracy']:.1%}" if "knn" in metrics else ""
    print(
        f"{folder.name}: {metrics['source']['parameters'] / 1e6:.1f} million parameters, {metrics['source']['license']}{accuracy}"
    )
    print(f"Use it as any run: python -m cl_core search --checkpoint {folder.name} IMAGE")
    return 0


def push(arguments: argparse.Namespace) -> int:
    from cl_core.hub.push import push as push_run
    from cl_core.runs.store import find_run

    print(push_run(find_run(arguments.run), arguments.repository, private=arguments.private))
    return 0


def deploy(arguments: argparse.Namespace) -> int:
    from cl_core.hub import deploy as space

    if arguments.dry_run:
        files = space.space_files(arguments.checkpoints)
        sizes = {"README.md": len(space.space_page().encode()), **{place: file.stat().st_size for place, file in files.items()}}
        for place, size in sorted(sizes.items()):
            print(f"{size:>12,}  {place}")
        print(f"{sum(sizes.values()):>12,}  bytes in {len(sizes)} files; nothing was sent")
        return 0
    print(space.deploy(arguments.repository, arguments.hardware, arguments.checkpoints, arguments.private))
    return 0
