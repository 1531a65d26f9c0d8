"""Galleries: features of a data set's images that can be searched."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from filelock import FileLock, Timeout
from torch import Tensor

from cl_core.data.dataset import Dataset, gallery_rows, group_representatives
from cl_core.errors import UserError
from cl_core.explore.descriptors import KEY, SearchWhitening, describe
from cl_core.explore.flat_index import FlatIndex
from cl_core.explore.hnsw import Progress
from cl_core.explore.vector_index import EXACT_UP_TO, VectorIndex, build_index
from cl_core.networks.embedding import embed, pixel_features, pixel_side
from cl_core.runs.feature_cache import cached_features, uses_batch_cache
from cl_core.runs.store import Run, features_key, on_device
from cl_core.system.device import choose_device
from cl_core.system.files import replace_file
from cl_core.system.paths import cache_dir

QUERY_BATCH = 256
MAX_WAIT_S = 600.0  # for another process that computes the same gallery
Embedder = Callable[[Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Neighbor:
    """A search result. row: position in the data set; cosine: in the gallery's space, -1 to 1."""

    rank: int
    row: int
    id: str
    name: str
    label: str
    cosine: float

    def as_json(self) -> dict[str, str | int | float]:
        """The fields that `search --json` prints."""
        return {"rank": self.rank, "id": self.id, "name": self.name, "label": self.label, "cosine": self.cosine}


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Features of a data set's images that can be searched, and the function that embeds queries.

    Images of one group (an emoji in its skin tones) are one result: it has the cosine of the nearest of them and is
    represented by the first, which has no modifier.

    rows: (G,) int64, ascending, the images in the gallery. index: their features, of length 1.
    embedder: images (N, 3, H, W) uint8 -> features (N, D) of length 1.
    """

    dataset: Dataset
    rows: Tensor
    index: VectorIndex
    embedder: Embedder

    @property
    def features(self) -> Tensor:
        """Features (G, D) of `rows`."""
        return self.index.vectors

    def feature(self, row: int) -> Tensor:
        """The feature (1, D) of the data set's image `row`."""
        position = int(torch.searchsorted(self.rows, row))
        return self.features[position : position + 1]

    def cosines(self, row: int, others: Sequence[int]) -> list[float]:
        """Cosines of the data set's image `row` and the groups of other images, as a search for it has them."""
        groups = self.dataset.groups
        cosines = self.features @ self.feature(row)[0]
        return [float(cosines[groups[self.rows] == groups[other]].max()) for other in others]

    def search(
        self, queries: Tensor, top: int, excluded: Sequence[Collection[int]] | None = None, among: Tensor | None = None
    ) -> list[list[Neighbor]]:
        """The groups nearest to each query, best first.

        Args:
            queries: (Q, D) features of length 1.
            top: results for each query, >= 1; fewer where there are fewer groups.
            excluded: for each query groups that are no results, such as its own.
            among: (N,) bool, the images of the data set that may be results; by default all. This search is exact.
        """
        answers: list[list[Neighbor]] = []
        positions = None if among is None else among[self.rows].nonzero()[:, 0]
        groups = self.dataset.groups[self.rows if positions is None else self.rows[positions]]
        for start in range(0, len(queries), QUERY_BATCH):
            part = slice(start, start + QUERY_BATCH)
            left_out = excluded[part] if excluded else [()] * len(queries[part])
            # So many images belong to at least `top` groups besides the excluded ones.
            count = (top + max(map(len, left_out), default=0)) * self._largest_group
            if positions is None:
                cosines, found = self.index.search(queries[part], count)
            else:
                cosines, found = FlatIndex(self.features).search(queries[part], count, positions)
            for values, at, without in zip(cosines.tolist(), found, left_out, strict=True):
                best: dict[int, float] = {}
                for group, cosine in zip(groups[at].tolist(), values, strict=True):
                    if group not in without:
                        best.setdefault(group, cosine)
                answers.append([self._neighbor(rank, *item) for rank, item in enumerate(list(best.items())[:top], 1)])
        return answers

    @cached_property
    def _largest_group(self) -> int:
        return int(self.dataset.groups[self.rows].bincount().max())

    @cached_property
    def _representatives(self) -> Tensor:
        return group_representatives(self.dataset)

    def _neighbor(self, rank: int, group: int, cosine: float) -> Neighbor:
        data, row = self.dataset, int(self._representatives[group])
        return Neighbor(rank, row, data.ids[row], data.names[row], data.label_name(row), round(cosine, 4))


def run_gallery(run: Run, dataset: Dataset, progress: Progress | None = None, database: str = "") -> Gallery:
    """The data set in the run's search space; computed features are stored in the cache.

    Args:
        progress: called with the fraction done, 0 to 1, while features are computed and a large index is built.
        database: address of a PostgreSQL server with pgvector that holds the index of a large gallery; by default a file does.

    Raises:
        UserError: the database cannot be used.
    """
    device = choose_device()
    method = on_device(run, device)
    rows = gallery_rows(dataset)
    file = _gallery_file(run, dataset)
    of_features, of_index = (_half(progress, 0), _half(progress, 1)) if len(rows) > EXACT_UP_TO else (progress, None)

    def described(images: Tensor) -> Tensor:
        if uses_batch_cache(run):  # a large encoder is not run on test-time augmentations
            return embed(method, images, run.size, device, precision="auto")
        return describe(method, images, run.size, device)

    def computed() -> tuple[SearchWhitening, Tensor]:
        if uses_batch_cache(run):
            descriptors = cached_features(run, dataset, rows, progress=of_features)
        else:
            descriptors = describe(method, dataset.images[rows], run.size, device, of_features)
        # Fitted on one image of each group, as its variants would count several times.
        fit = SearchWhitening.center if _is_whitened(run) else SearchWhitening.fit
        whitening = fit(descriptors[torch.isin(rows, group_representatives(dataset))])
        features = whitening(descriptors)
        with contextlib.suppress(UserError):  # a full disk costs time, not the result
            _store(file, whitening, features)
        return whitening, features

    found = _stored(file, len(rows))
    if found is None:
        with _alone(file.with_suffix(".lock")):
            found = _stored(file, len(rows)) or computed()  # another process may have stored it meanwhile
    whitening, features = found
    # Another process would build the same graphs.
    with _alone(file.with_suffix(".lock")) if len(features) > EXACT_UP_TO else contextlib.nullcontext():
        index = build_index(features, file.with_suffix(".usearch"), of_index, database)
    return Gallery(dataset, rows, index, lambda images: whitening(described(images)))


def _half(progress: Progress | None, half: int) -> Progress | None:
    """Reports the fraction done of the first or second half of the work as one of the whole."""
    return None if progress is None else lambda done: progress((half + done) / 2)


def is_stored(run: Run, dataset: Dataset) -> bool:
    """Whether `run_gallery` finds its features in the cache, so that it takes no time."""
    return _gallery_file(run, dataset).is_file()


def _is_whitened(run: Run) -> bool:
    """Whether the encoder whitens its features: a second whitening would give noise too much weight."""
    return bool(run.record.config.whitening) and run.record.state == "finished"


def _gallery_file(run: Run, dataset: Dataset) -> Path:
    key = f"{KEY}-centered" if _is_whitened(run) else KEY
    return cache_dir() / "galleries" / f"{features_key(run, dataset)}-{key}.safetensors"


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait for other processes that compute the same gallery: several on the same cores would be slower together."""
    lock = FileLock(path)
    with contextlib.suppress(Timeout, OSError):  # a process that hangs, or a read-only cache
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=MAX_WAIT_S)
    try:
        yield
    finally:
        lock.release()


def _store(file: Path, whitening: SearchWhitening, features: Tensor) -> None:
    content = {"features": features.contiguous(), "mean": whitening.mean, "matrix": whitening.matrix.contiguous()}
    replace_file(file, lambda temporary: safetensors.torch.save_file(content, temporary))


def _stored(file: Path, count: int) -> tuple[SearchWhitening, Tensor] | None:
    """The content of a file of `_store`, memory-mapped; None where it is missing, damaged or of another size."""
    if not file.is_file():
        return None
    try:
        content = safetensors.torch.load_file(file)
        whitening, features = SearchWhitening(content["mean"], content["matrix"]), content["features"]
    except (safetensors.SafetensorError, KeyError, OSError):
        return None
    return (whitening, features) if len(features) == count else None


def pixel_gallery(dataset: Dataset, size: int) -> Gallery:
    """The baseline: the data set as raw pixels at `size`, fewer in a large set, the mean image subtracted."""
    rows = gallery_rows(dataset)
    size = pixel_side(size, len(rows))
    pixels = pixel_features(dataset.images[rows], size)
    mean = pixels.mean(0)

    def embedder(images: Tensor) -> Tensor:
        return F.normalize(pixel_features(images, size) - mean, dim=1)

    return Gallery(dataset, rows, build_index(F.normalize(pixels - mean, dim=1)), embedder)
