"""A batch as training would see it: N pictures, two views each, embedded by a model."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.data.views import make_views
from cl_core.runs import Run
from cl_core.training.loop import epoch_order
from cl_core.ui import library


@dataclasses.dataclass(frozen=True)
class Batch:
    """rows: (N,) int64 in the data set; views: (2N, 3, S, S) in [0, 1], stacked [first; second];
    trained, untrained: (2N, D) embeddings z."""

    rows: Tensor
    views: Tensor
    trained: Tensor
    untrained: Tensor


@torch.no_grad()
def _embed_views(run: Run, views: Tensor) -> Tensor:
    return F.normalize(run.method.project(run.method.encoder(views)), dim=1)


@lru_cache(maxsize=64)
def draw_batch(model: str, count: int, seed: int) -> Batch:
    """`count` pictures of different groups, augmented as the checkpoint was trained; the same for the same seed."""
    run, data = library.run(model), library.dataset(model)
    config = run.record.config.model_copy(update={"seed": seed})
    rows = data.train[epoch_order(data.groups[data.train], config, 0)][:count]
    generator = torch.Generator().manual_seed(seed)
    pair = [make_views(data.pictures[rows], config.views, run.size, generator)[0] for _ in range(2)]
    views = torch.cat(pair)
    untrained = library.untrained(model)
    return Batch(rows, views, _embed_views(run, views), _embed_views(untrained, views))
