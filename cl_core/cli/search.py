"""`search`: find similar images."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from cl_core.cli.options import Commands, add_checkpoint, add_command, add_gallery, add_json, positive, progress_bar
from cl_core.errors import EXIT_USER_ERROR, UserError


def add_parser(commands: Commands) -> None:
    parser = add_command(commands, "search", search, "Find the images most similar to yours.")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE|FOLDER")
    parser.add_argument("--top", type=positive, default=5, help="results per image (default: 5)")
    add_checkpoint(parser)
    parser.add_argument("--dataset", help="search other images than those of the run")
    add_gallery(parser)
    add_json(parser)


def search(arguments: argparse.Namespace) -> int:
    import torch
    from torch import Tensor

    from cl_core.data.decoding import decode_image, find_images, is_animated
    from cl_core.data.pixels import to_tensor
    from cl_core.data.registry import load_dataset
    from cl_core.explore.gallery import Neighbor, run_gallery
    from cl_core.runs.store import load_run

    run = load_run(arguments.checkpoint)
    files: list[Path] = []
    for path in arguments.images:
        files += find_images(path) if path.is_dir() else [path]
    queries: dict[Path, Tensor] = {}
    errors = []
    for file in files:
        try:
            queries[file] = to_tensor(decode_image(file), run.size)
        except UserError as error:
            errors.append(error)
            continue
        if is_animated(file):
            print(f"{file.name} is animated: its first frame is the query.", file=sys.stderr)
    results: list[list[Neighbor]] = []
    if queries:
        with progress_bar("gallery") as progress:
            dataset = load_dataset(arguments.dataset or run.record.config.dataset)
            gallery = run_gallery(run, dataset, progress, arguments.gallery)
        results = gallery.search(gallery.embedder(torch.cat(list(queries.values()))), arguments.top)
    if arguments.json:
        pairs = zip(queries, results, strict=True)
        answers = [{"query": str(file), "neighbors": [n.as_json() for n in neighbors]} for file, neighbors in pairs]
        print(json.dumps(answers, indent=2, ensure_ascii=False))
    else:
        for file, neighbors in zip(queries, results, strict=True):
            print(file)
            for n in neighbors:
                print(f"  {n.rank:>2}  {n.cosine:+.3f}  {n.name}  [{n.label}]  {n.id}")
    for problem in errors:
        print(f"error: {problem}", file=sys.stderr)
    return EXIT_USER_ERROR if errors else 0
