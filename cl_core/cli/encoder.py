"""`encoder`: download a public encoder from the Hugging Face Hub, as a run."""

from __future__ import annotations

import argparse
import sys

from cl_core.cli.options import Commands, add_command, add_image_size, program


def add_parser(commands: Commands) -> None:
    parser = add_command(commands, "encoder", encoder, "Download a public encoder of timm from the Hugging Face Hub, as a run.")
    parser.add_argument(
        "repository", nargs="?", metavar="[hf-hub:]OWNER/NAME[@REVISION]", help="default: list recommended encoders"
    )
    parser.add_argument("--dataset", default="emoji", help="the images to encode (default: emoji)")
    add_image_size(parser, "--image-size", "side of its input (default: its own, or 224 if that is above 256)")


def encoder(arguments: argparse.Namespace) -> int:
    if arguments.repository is None:
        _list_recommended()
        return 0
    from tqdm import tqdm

    from cl_core.hub.encoder import encode_dataset, fetch_encoder

    folder = fetch_encoder(arguments.repository, arguments.dataset, arguments.image_size)
    with tqdm(
        total=1.0, desc="encode", file=sys.stderr, leave=False, delay=1, bar_format="{l_bar}{bar}| {elapsed}<{remaining}"
    ) as bar:
        for fraction in encode_dataset(folder):
            bar.update(fraction - bar.n)
    metrics = folder.read_record().metrics
    source, accuracy = metrics["source"], f", kNN {metrics['knn']['accuracy']:.1%}" if "knn" in metrics else ""
    print(f"{folder.name}: {source['parameters'] / 1e6:.1f} million parameters, {source['license']}{accuracy}")
    print(f"Use it like any run: {program()} search --checkpoint {folder.name} IMAGE")
    return 0


def _list_recommended() -> None:
    from cl_core.hub.recommended import LEARNED, RECOMMENDED

    for each in RECOMMENDED:
        size = f"{each.megabytes:>4} MB {each.images_per_s:>3} images/s"
        print(f"{each.repository:<54}{LEARNED[each.learned]:<22}{each.year} {each.license:<11}{size}")
    print("Images/s: at 224 px, on two cores with bf16, no GPU.")
