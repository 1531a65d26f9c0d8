"""Other drawings of the same objects, from which the views of a training step may come, too.

Two views of one emoji may then come from two illustrators, so that features depend less on the style.
"""

from __future__ import annotations

import unicodedata

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cl_core.augment.views import plain_views
from cl_core.data.bundled import DATASETS
from cl_core.data.dataset import Dataset
from cl_core.errors import UserError, quoted

BATCH = 256  # images that are resized at once


class Drawings:
    """The images of a data set, and those images of an imported one that show the same objects.

    Args:
        dataset: what is trained on.
        other: the imported data set; see `match_drawings`.
        device: where the images lie.

    Attributes:
        images: (N + M, 3, H, W) uint8, first those of `dataset`.
        table: (N, K) int64, positions in `images`: an image, then its other drawings; the rest of a row is not used.
        counts: (N,) int64, 1 to K, how many positions of a row are used.

    Raises:
        UserError: no image of `other` matches one of `dataset`.
    """

    def __init__(self, dataset: Dataset, other: Dataset, device: torch.device) -> None:
        pairs = match_drawings(dataset, other)
        places = [[row] for row in range(len(dataset))]
        for position, (row, _) in enumerate(pairs, len(dataset)):
            places[row].append(position)
        drawn = other.images[[each for _, each in pairs]]
        if other.size != dataset.size:
            drawn = torch.cat([(plain_views(part, dataset.size) * 255).round().byte() for part in drawn.split(BATCH)])
        self.images = torch.cat([dataset.images, drawn]).to(device)
        self.table = pad_sequence([torch.tensor(row) for row in places], batch_first=True).to(device)
        self.counts = torch.tensor([len(row) for row in places], device=device)

    def sample(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """One position in `images` for each of the rows (N,) of the data set: any of its drawings with equal probability."""
        chosen = torch.rand(len(rows), generator=generator, device=rows.device) * self.counts[rows]
        return self.table[rows, chosen.long()]


def match_drawings(dataset: Dataset, other: Dataset) -> list[tuple[int, int]]:
    """Pairs of a row of `dataset` and a row of the imported `other` that shows the same object.

    They match if the other image's file name is the id or the name of the image, or if both have the same class and file name.
    Case does not matter. Names that images of several groups share match nothing; of a group the first image is taken.

    Raises:
        UserError: nothing matches.
    """
    by_name = _rows_of(dataset.names, dataset)
    # Ids of imported data sets are numbers, and their names are class and file name.
    bundled = dataset.name in DATASETS
    by_file = by_name | _rows_of(dataset.ids, dataset) if bundled else _rows_of(_file_names(dataset), dataset)
    pairs: list[tuple[int, int]] = []
    for each, (name, file_name) in enumerate(zip(other.names, _file_names(other), strict=True)):
        row = by_name.get(_folded(name), by_file.get(_folded(file_name)))
        if row is not None:
            pairs.append((row, each))
    if not pairs:
        raise UserError("training.no_drawings", name=quoted(other.name), dataset=dataset.name)
    return pairs


def _rows_of(keys: list[str], dataset: Dataset) -> dict[str, int]:
    """The first row of each key, in one form, that belongs to one group alone."""
    rows: dict[str, int] = {}
    groups: dict[str, set[int]] = {}
    for row, (key, group) in enumerate(zip(map(_folded, keys), dataset.groups.tolist(), strict=True)):
        rows.setdefault(key, row)
        groups.setdefault(key, set()).add(group)
    return {key: row for key, row in rows.items() if len(groups[key]) == 1}


def _file_names(dataset: Dataset) -> list[str]:
    """The file names without their endings of an imported data set, whose names are class and file name."""
    return [name.removeprefix(f"{dataset.label_name(row)} ") for row, name in enumerate(dataset.names)]


def _folded(text: str) -> str:
    """A name in one form: archives from different systems compose accents differently."""
    return unicodedata.normalize("NFC", text).strip().casefold()
