"""The gallery: features of a data set's pictures, to search in."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.data.catalog import Dataset, group_representatives
from cl_core.descriptors import Whitening, describe
from cl_core.device import choose_device
from cl_core.embedding import pixel_features
from cl_core.errors import UserError
from cl_core.files import write_bytes
from cl_core.paths import cache_dir
from cl_core.runs import Run, on_device

QUERY_BATCH = 256
Embedder = Callable[[Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """One answer. row: position in the data set; cosine: in the gallery's space, -1 to 1."""

    rank: int
    row: int
    id: str
    name: str
    label: str
    cosine: float

    def as_json(self) -> dict[str, str | int | float]:
        """What the command line prints and the API answers."""
        return {"rank": self.rank, "id": self.id, "name": self.name, "label": self.label, "cosine": self.cosine}


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Features (N, D) of all pictures of a data set, length 1, and the function that makes more of them.

    Pictures of one group (an emoji in its skin tones) are one answer: as near as the nearest of them,
    shown by the first, which has no modifier.
    """

    dataset: Dataset
    features: Tensor
    embedder: Embedder

    def search(self, queries: Tensor, top: int, without: Tensor | None = None) -> list[list[Neighbour]]:
        """The groups most like each query, best first.

        Args:
            queries: (Q, D) features of length 1.
            top: answers a query, at least 1; fewer are given where there are fewer groups.
            without: (Q,) int64, a group that may not be an answer (the query's own).
        """
        answers: list[list[Neighbour]] = []
        for start in range(0, len(queries), QUERY_BATCH):
            part = slice(start, start + QUERY_BATCH)
            answers += self._search(queries[part], top, None if without is None else without[part])
        return answers

    def _search(self, queries: Tensor, top: int, without: Tensor | None) -> list[list[Neighbour]]:
        data, shown = self.dataset, group_representatives(self.dataset)
        nearness = torch.full((len(queries), len(shown)), -torch.inf)
        nearness.scatter_reduce_(1, data.groups.expand(len(queries), -1), queries @ self.features.T, "amax")
        available = len(shown)
        if without is not None:
            nearness.scatter_(1, without[:, None], -torch.inf)
            available -= 1
        cosines, groups = nearness.topk(min(top, available), dim=1)
        return [
            [
                Neighbour(rank, row, data.ids[row], data.names[row], data.label_name(row), round(cosine, 4))
                for rank, (row, cosine) in enumerate(zip(shown[found].tolist(), values, strict=True), 1)
            ]
            for found, values in zip(groups, cosines.tolist(), strict=True)
        ]


def run_gallery(run: Run, dataset: Dataset, progress: Callable[[float], None] | None = None) -> Gallery:
    """The data set in the run's search space; its descriptors are computed once and kept in the cache.

    Args:
        progress: called with the share done, 0 to 1, where they must be computed.
    """
    device = choose_device()
    method = on_device(run, device)
    file = cache_dir() / "descriptors" / f"{dataset.name}-{run.key}.safetensors"
    descriptors = _cached(file, len(dataset))
    if descriptors is None:
        descriptors = describe(method, dataset.pictures, run.size, device, progress)
        with contextlib.suppress(UserError):  # a full cache costs time, not the answer
            write_bytes(file, safetensors.torch.save({"descriptors": descriptors.half()}))
    # Variants of one picture would count several times.
    whitening = Whitening.fit(descriptors[group_representatives(dataset)])
    return Gallery(dataset, whitening(descriptors), lambda pictures: whitening(describe(method, pictures, run.size, device)))


def _cached(file: Path, count: int) -> Tensor | None:
    if not file.is_file():
        return None
    try:
        descriptors = safetensors.torch.load_file(file)["descriptors"]
    except (safetensors.SafetensorError, KeyError, OSError):
        return None
    return descriptors.float() if len(descriptors) == count else None


def pixel_gallery(dataset: Dataset, size: int) -> Gallery:
    """The baseline: the data set as raw pixels, the mean picture subtracted, compared by cosine."""
    pixels = pixel_features(dataset.pictures, size)
    mean = pixels.mean(0)

    def embedder(pictures: Tensor) -> Tensor:
        return F.normalize(pixel_features(pictures, size) - mean, dim=1)

    return Gallery(dataset, F.normalize(pixels - mean, dim=1), embedder)
