"""What the models of one process share, and searches of concurrent visitors in one batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from cl_core.explore.gallery import Embedder, Gallery, Neighbor
from cl_core.explore.regions import NeighborPreservation, Region
from cl_core.explore.review import Review
from cl_core.runs.store import Run
from cl_core.system.memo import BatchedFunction, Memo

BATCHED_QUERIES = 16  # of concurrent visitors; a larger batch takes longer than it saves


@dataclasses.dataclass(frozen=True)
class Query:
    """One image (1, 3, S, S) uint8 to search for.

    without: groups that are no answers. among: (N,) bool, the images that may be; None for all.
    """

    image: Tensor
    top: int
    without: Collection[int] = ()
    among: Tensor | None = None


@dataclasses.dataclass(frozen=True)
class BatchedGallery:
    """A gallery that answers concurrent queries in one batch.

    features: of one image (1, 3, S, S) as on the map, without test-time augmentation: (D,) float32 of length 1.
    """

    gallery: Gallery
    search: BatchedFunction[Query, list[Neighbor]]
    features: BatchedFunction[Tensor, Tensor]

    @classmethod
    def of(cls, gallery: Gallery, embedder: Embedder) -> BatchedGallery:
        """Wrap a gallery. embedder: images -> their features as on the map."""
        return cls(
            gallery,
            BatchedFunction(partial(_search_batch, gallery), BATCHED_QUERIES),
            BatchedFunction(lambda images: list(_in_one_batch(embedder, images)), BATCHED_QUERIES),
        )


def _in_one_batch(embedder: Embedder, images: list[Tensor]) -> Tensor:
    """Features of images: an upload has the model's size, an image of the data set its own."""
    alike = len({image.shape for image in images}) == 1
    return embedder(torch.cat(images)) if alike else torch.cat([embedder(image) for image in images])


def _search_batch(gallery: Gallery, queries: list[Query]) -> list[list[Neighbor]]:
    features = _in_one_batch(gallery.embedder, [query.image for query in queries])
    everywhere = [number for number, query in enumerate(queries) if query.among is None]
    together = [queries[number] for number in everywhere]
    top = max((query.top for query in together), default=1)
    found = gallery.search(features[everywhere], top, [query.without for query in together])
    answers = dict(zip(everywhere, found, strict=True))
    for number, query in enumerate(queries):
        if query.among is not None:
            answers[number] = gallery.search(features[number : number + 1], query.top, [query.without], query.among)[0]
    return [answers[number][: query.top] for number, query in enumerate(queries)]


@dataclasses.dataclass(frozen=True)
class Caches:
    """What models of one process share: models that began with the same weights share what is computed from these.

    database: address of the PostgreSQL server that holds the index of large galleries; empty for the embedded one.
    """

    database: str = ""
    runs: Memo[Run] = dataclasses.field(default_factory=lambda: Memo(64))
    untrained: Memo[Run] = dataclasses.field(default_factory=lambda: Memo(64))
    galleries: Memo[BatchedGallery] = dataclasses.field(
        default_factory=lambda: Memo(48, 2e9, measure=lambda each: each.gallery.features.nbytes)
    )
    preparing: dict[Hashable, float] = dataclasses.field(default_factory=dict)  # fractions done of galleries, 0 to 1
    features: Memo[Tensor] = dataclasses.field(default_factory=lambda: Memo(200))
    regions: Memo[tuple[list[Region], NeighborPreservation]] = dataclasses.field(default_factory=lambda: Memo(100))
    choices: Memo[dict[str, int]] = dataclasses.field(default_factory=lambda: Memo(16))
    reasons: Memo[Any] = dataclasses.field(default_factory=lambda: Memo(200))  # of `explain`
    reviews: Memo[Review] = dataclasses.field(default_factory=lambda: Memo(16))
    batches: Memo[Any] = dataclasses.field(default_factory=lambda: Memo(64, 2e8))  # of `explore.batch`
