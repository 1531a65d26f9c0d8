"""Figures of what is shipped: SimCLR on CIFAR-10, the other vendors' emoji, and what everything weighs.

    python -m benchmarks.shipped [--vendor FOLDER ...]

CIFAR-10's time and accuracy are those its run recorded; the untrained network and raw pixels beside it are measured
where the images are on this machine. The vendors' images are fetched as `benchmarks.vendor_search` says.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.table import Row
from benchmarks.vendor_search import hits, vendor_queries
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.evaluation.knn import evaluate_knn, evaluate_pixels
from cl_core.explore.gallery import run_gallery
from cl_core.runs.store import find_run, load_run, run_features, untrained_like
from cl_core.system.paths import CHECKPOINTS

CIFAR10 = "cifar10-simclr"
TOP1, TOP5 = 0.55, 0.75


def cifar10() -> Row:
    asked = "SimCLR on CIFAR-10 (JPEG copy), two CPU cores, at most three hours: kNN at least 70 %"
    if not (CHECKPOINTS / CIFAR10).is_dir():
        return Row(asked, f"there is no {CIFAR10}", None)
    record = find_run(CIFAR10).read_record()
    accuracy, hours = record.metrics["knn"]["accuracy"], record.seconds / 3600
    beside = ""
    if "cifar10" in dataset_names():
        data, run = load_dataset("cifar10"), load_run(CIFAR10)
        untrained = evaluate_knn(run_features(untrained_like(run), data.images), data).accuracy
        beside = f"; untrained {untrained:.1%}, pixels {evaluate_pixels(data, run.size).accuracy:.1%} on {data.title}"
    return Row(asked, f"{accuracy:.1%} in {hours:.2f} h on {record.device}{beside}", accuracy >= 0.7 and hours <= 3)


def emoji(folders: list[Path]) -> list[Row]:
    asked = f"Other vendors' emoji: top-1 {TOP1}, top-5 {TOP5} or better"
    if not folders:
        return [Row(asked, "not measured: give --vendor FOLDER", None)]
    run, data = load_run("emoji-simclr"), load_dataset("emoji")
    gallery = run_gallery(run, data)
    rows = []
    for folder in folders:
        found = hits(gallery, *vendor_queries(folder, data, run.size))
        name = folder.parent.name
        met = found["top1"] >= TOP1 and found["top5"] >= TOP5
        rows.append(Row(f"{asked} ({name})", f"{found['top1']:.3f}, {found['top5']:.3f}", met))
    return rows


def weight() -> Row:
    size = sum(file.stat().st_size for file in CHECKPOINTS.rglob("*") if file.is_file()) / 1e6
    return Row("All checkpoints together at most 40 MB", f"{size:.1f} MB, maps and curves included", size <= 40)


def rows(folders: list[Path]) -> list[Row]:
    return [cifar10(), *emoji(folders), weight()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vendor", nargs="+", type=Path, default=[])
    for row in rows(parser.parse_args().vendor):
        print(row.line())


if __name__ == "__main__":
    main()
