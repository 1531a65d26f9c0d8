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
from cl_core.runs import Run

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

    Pictures of one group (an emoji in its skin tones) count as one answer, shown by its nearest member.
    """

    dataset: Dataset
    features: Tensor
    embedder: Embedder

    def search(self, queries: Tensor, top: int, without: Tensor | None = None) -> list[list[Neighbour]]:
        """The groups most like each query, best first.

        Args:
            queries: (Q, D) features of length 1.
            top: answers a query, at least 1.
            without: (Q,) int64, a group that may not be an answer (the query's own).
        """
        groups = self.dataset.groups
        count = int(groups.max()) + 1
        answers = []
        for part, excluded in _batches(queries, without):
            cosines = part @ self.features.T
            best = torch.full((len(part), count), -torch.inf)
            best.scatter_reduce_(1, groups.expand(len(part), -1), cosines, "amax")
            if excluded is not None:
                best.scatter_(1, excluded[:, None], -torch.inf)
            values, nearest = best.topk(min(top, count), dim=1)
            for row in range(len(part)):
                found = [(g, v) for g, v in zip(nearest[row].tolist(), values[row].tolist(), strict=True) if v > -2]
                answers.append([self._neighbour(i, g, v, cosines[row]) for i, (g, v) in enumerate(found, 1)])
        return answers

    def _neighbour(self, rank: int, group: int, cosine: float, cosines: Tensor) -> Neighbour:
        members = (self.dataset.groups == group).nonzero()[:, 0]
        row = int(members[cosines[members].argmax()])
        data = self.dataset
        label = data.classes[int(data.labels[row])]
        return Neighbour(rank, row, data.ids[row], data.names[row], label, round(cosine, 4))


def _batches(queries: Tensor, without: Tensor | None, size: int = 256):  # type: ignore[no-untyped-def]
    for start in range(0, len(queries), size):
        yield queries[start : start + size], None if without is None else without[start : start + size]


def run_gallery(run: Run, dataset: Dataset, progress: Callable[[float], None] | None = None) -> Gallery:
    """The data set in the run's search space; its descriptors are computed once and kept in the cache.

    Args:
        progress: called with the share done, 0 to 1, where they must be computed.
    """
    device = choose_device()
    method = run.method.to(device)
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
