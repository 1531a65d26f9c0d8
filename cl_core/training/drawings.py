"""Other drawings of the same objects, from which the views of a training step may come, too.

Two views of one emoji may then come from the drawings of two illustrators, so that features depend less on the hand.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cl_core.augment.views import plain_views
from cl_core.data.dataset import Dataset
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError, quoted

NO_DRAWINGS = "none"  # the value of the setting


class Drawings:
    """The images of a data set, and the images of an imported one that show the same objects.

    An image of the imported data set belongs to the image whose id or name is its file name.

    Args:
        dataset: what is trained on.
        name: the imported data set.
        device: where the images lie.

    Attributes:
        images: (N + M, 3, H, W) uint8, first those of `dataset`.
        table: (N, K) int64, positions in `images`: an image, then its other drawings; the rest of a row is not used.
        counts: (N,) int64, 1 to K, how many positions of a row are used.

    Raises:
        UserError: there is no such data set, or no image of it belongs to one of `dataset`.
    """

    def __init__(self, dataset: Dataset, name: str, device: torch.device) -> None:
        other = load_dataset(name)
        row_of = {key: row for row in range(len(dataset)) for key in _keys(dataset, row)}
        places = [[row] for row in range(len(dataset))]
        found = [(row_of.get(_file_name(other, each)), each) for each in range(len(other))]
        used = [each for row, each in found if row is not None]
        if not used:
            raise UserError("training.no_drawings", name=quoted(name), dataset=dataset.name)
        for position, (row, _) in enumerate(((row, each) for row, each in found if row is not None), len(dataset)):
            places[row].append(position)
        drawn = other.images[used]
        if other.size != dataset.size:
            drawn = (plain_views(drawn, dataset.size) * 255).round().byte()
        self.images = torch.cat([dataset.images, drawn]).to(device)
        self.counts = torch.tensor([len(row) for row in places], device=device)
        widest = max(map(len, places))
        self.table = torch.tensor([row + row[:1] * (widest - len(row)) for row in places], device=device)

    def sample(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """One position in `images` for each of the rows (N,) of the data set: any of its drawings with equal probability."""
        chosen = torch.rand(len(rows), generator=generator, device=rows.device) * self.counts[rows]
        return self.table[rows, chosen.long()]


def _file_name(dataset: Dataset, row: int) -> str:
    """The file name without its ending of an imported image; its name begins with its class."""
    return dataset.names[row].removeprefix(f"{dataset.label_name(row)} ").strip().casefold()


def _keys(dataset: Dataset, row: int) -> list[str]:
    """The file names that other drawings of an image may have."""
    keys = [dataset.names[row].casefold(), _file_name(dataset, row)]
    return keys if dataset.ids[row] == str(row) else [*keys, dataset.ids[row].casefold()]  # where ids are not just numbers
