"""Search the emoji gallery for the same emoji drawn by another vendor.

    npm pack emoji-datasource-twitter@16.0.0 && tar xzf emoji-datasource-twitter-16.0.0.tgz
    python -m benchmarks.vendor_search --checkpoint emoji-simclr package/img/twitter/64

Queries are the vendor's images of the emoji that have no skin-tone modifier. The gallery is what
`search` uses: all images, an emoji and its skin-tone variants being one answer. A query is a hit at
k if the emoji of the same code is among the first k answers. No model was trained on the vendor's
images, except those whose setting `drawings` says so.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.data.decoding import decode_image
from cl_core.data.pixels import to_tensor
from cl_core.data.registry import load_dataset
from cl_core.explore.gallery import Gallery, pixel_gallery, run_gallery
from cl_core.runs.store import load_run, untrained_like


def vendor_queries(folder: Path, dataset: Dataset, size: int) -> tuple[Tensor, Tensor]:
    """The vendor's images (Q, 3, size, size) uint8 and the rows (Q,) of the same emoji in the gallery."""
    images, rows = [], []
    families = dataset.family_names
    seen: set[int] = set()
    for row, group in enumerate(dataset.groups.tolist()):
        file = folder / f"{dataset.ids[row].lower()}.png"
        is_swatch = families[int(dataset.families[row])] == "Component"
        if group not in seen and not is_swatch and file.is_file():
            images.append(to_tensor(decode_image(file), size))
            rows.append(row)
        seen.add(group)
    return torch.cat(images), torch.tensor(rows)


def hits(gallery: Gallery, queries: Tensor, rows: Tensor) -> dict[str, float]:
    """Share of queries whose emoji is the first answer, and among the first five."""
    answers = gallery.search(gallery.embedder(queries), 5)
    found = torch.tensor([[n.row for n in answer] for answer in answers]) == rows[:, None]
    return {"top1": found[:, 0].double().mean().item(), "top5": found.any(1).double().mean().item()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="folders of images named by code, e.g. 1f600.png")
    parser.add_argument("--checkpoint", default="emoji-simclr")
    arguments = parser.parse_args()
    run, dataset = load_run(arguments.checkpoint), load_dataset("emoji")
    galleries = {
        "trained": run_gallery(run, dataset),
        "untrained": run_gallery(untrained_like(run), dataset),
        "pixels": pixel_gallery(dataset, run.size),
    }
    for folder in arguments.folders:
        queries, rows = vendor_queries(folder, dataset, run.size)
        for name, gallery in galleries.items():
            figures = {key: round(value, 3) for key, value in hits(gallery, queries, rows).items()}
            print(json.dumps({"vendor": str(folder), "queries": len(rows), "space": name} | figures))


if __name__ == "__main__":
    main()
