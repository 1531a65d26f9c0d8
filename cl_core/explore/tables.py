"""Features, nearest neighbors and doubtful images of a model as tables."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cl_core.evaluation.neighbors import nearest_others
from cl_core.explore.model import Model
from cl_core.system.files import replace_file

SUFFIXES = (".csv", ".npz", ".parquet")
NEIGHBORS = 10
PART = 2_000  # rows of a CSV that are formatted together


def write_features(model: Model, path: Path) -> None:
    """Write the feature of each image, of length 1, with its row, name, class and split.

    Args:
        path: ends in .csv (a column for each dimension), .npz (arrays `features`, `names`, `labels`, `splits`) or .parquet
            (a column of lists).

    Raises:
        UserError: the file cannot be written.
    """
    features = model.features().numpy()
    names, labels, splits = _columns(model)
    if path.suffix == ".npz":
        arrays: dict[str, Any] = {"names": np.array(names), "labels": np.array(labels), "splits": np.array(splits)}
        replace_file(path, lambda temporary: _save_npz(temporary, features, arrays))
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet

        values = pa.FixedSizeListArray.from_arrays(pa.array(features.reshape(-1)), features.shape[1])
        columns = {"row": np.arange(len(names)), "name": names, "class": labels, "split": splits, "feature": values}
        replace_file(path, lambda temporary: pyarrow.parquet.write_table(pa.table(columns), temporary))
    else:
        head = ["row", "name", "class", "split", *(f"f{i}" for i in range(features.shape[1]))]
        numbers = ([f"{value:.7g}" for value in row.tolist()] for row in features)
        rows = ([i, *each] for i, each in enumerate(zip(names, labels, splits, strict=True)))
        _write_csv(path, head, ([*start, *values] for start, values in zip(rows, numbers, strict=True)))


def _save_npz(path: Path, features: Any, arrays: dict[str, Any]) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, features=features, **arrays)


def write_neighbors(model: Model, path: Path, count: int = NEIGHBORS) -> None:
    """Write the nearest other images of each image by the cosine of their features, as CSV, best first.

    Images of one group are not neighbors of each other.
    """
    data, features = model.dataset, model.features()
    names, labels, _ = _columns(model)

    def rows() -> Iterator[list[Any]]:
        for part in torch.arange(len(features)).split(PART):
            cosines, found = nearest_others(features, data.groups, part, count)
            for row, values, others in zip(part.tolist(), cosines.tolist(), found.tolist(), strict=True):
                for rank, (cosine, other) in enumerate(zip(values, others, strict=True), 1):
                    if cosine > -2:
                        yield [row, names[row], rank, other, names[other], labels[other], f"{cosine:.6f}"]

    _write_csv(path, ["row", "name", "rank", "neighbor", "neighbor_name", "neighbor_class", "cosine"], rows())


def write_review(model: Model, path: Path) -> None:
    """Write the evidence for near-duplicates, outliers and label errors, as CSV.

    Columns: row, name, class; the nearest image, its name and cosine; the mean cosine to the ten nearest; the share of their
    votes for the image's own class; the class with most votes and its share. See `explore.review`.
    """
    data, found = model.dataset, model.review()
    numbers = found.cosines[:, 0], found.cosines.mean(1), found.own, found.share
    columns = found.rows.tolist(), found.neighbors[:, 0].tolist(), found.voted.tolist(), *(each.tolist() for each in numbers)

    def rows() -> Iterator[list[Any]]:
        for row, near, label, cosine, mean, right, most in zip(*columns, strict=True):
            named = [row, data.names[row], data.label_name(row), near, data.names[near], f"{cosine:.6f}", f"{mean:.6f}"]
            voting = [f"{right:.4f}", data.classes[label] if most > 0 else "", f"{most:.4f}"]
            yield named + (voting if data.labels[row] >= 0 else ["", *voting[1:]])

    head = ["row", "name", "class", "nearest", "nearest_name", "nearest_cosine", "mean_cosine"]
    _write_csv(path, [*head, "own_share", "voted_class", "voted_share"], rows())


def _columns(model: Model) -> tuple[list[str], list[str], list[str]]:
    """Name, class and split of each image."""
    data = model.dataset
    splits = np.full(len(data), "train", dtype=object)
    splits[data.test.numpy()] = "test"
    return data.names, [data.label_name(row) for row in range(len(data))], splits.tolist()


def _write_csv(path: Path, head: list[str], rows: Iterator[list[Any]]) -> None:
    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8-sig") as file:  # spreadsheets look for the byte order mark
            writer = csv.writer(file)
            writer.writerow(head)
            writer.writerows(map(_plain, rows))

    replace_file(path, write)


def _plain(row: list[Any]) -> list[Any]:
    """A name that a spreadsheet would take for a formula begins with an apostrophe."""
    return [f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and not _is_number(cell) else cell for cell in row]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
