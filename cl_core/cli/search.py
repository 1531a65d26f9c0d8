"""`search`: the images most like yours."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from cl_core.errors import EXIT_USER_ERROR, UserError


def search(arguments: argparse.Namespace) -> int:
    import torch
    from torch import Tensor
    from tqdm import tqdm

    from cl_core.data.decoding import decode_image, find_images, is_animated, to_tensor
    from cl_core.data.registry import load_dataset
    from cl_core.explore.gallery import Neighbor, run_gallery
    from cl_core.runs.store import load_run

    run = load_run(arguments.checkpoint)
    files: list[Path] = []
    for path in arguments.images:
        files += find_images(path) if path.is_dir() else [path]
    queries: dict[Path, Tensor] = {}
    problems = []
    for file in files:
        try:
            queries[file] = to_tensor(decode_image(file), run.size)
        except UserError as error:
            problems.append(str(error))
            continue
        if is_animated(file):
            print(f"{file.name} is animated: its first frame is searched for.", file=sys.stderr)
    found: list[list[Neighbor]] = []
    if queries:
        with tqdm(total=100, unit="%", desc="gallery", file=sys.stderr, leave=False, delay=1) as bar:
            dataset = load_dataset(arguments.dataset or run.record.config.dataset)
            gallery = run_gallery(run, dataset, lambda fraction: bar.update(round(100 * fraction) - bar.n))
        found = gallery.search(gallery.embedder(torch.cat(list(queries.values()))), arguments.top)
    answers = [
        {"query": str(file), "neighbors": [n.as_json() for n in neighbors]}
        for file, neighbors in zip(queries, found, strict=True)
    ]
    if arguments.json:
        print(json.dumps(answers, indent=2, ensure_ascii=False))
    else:
        for file, neighbors in zip(queries, found, strict=True):
            print(file)
            for n in neighbors:
                print(f"  {n.rank:>2}  {n.cosine:+.3f}  {n.name}  [{n.label}]  {n.id}")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return EXIT_USER_ERROR if problems else 0
