"""A batch as training would see it: N images, two views each, embedded by a model."""

from __future__ import annotations

import dataclasses
import re

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.augment.views import make_views, plain_views
from cl_core.data.dataset import DATASET_NAME, Dataset, instance_rows, instances, training_rows
from cl_core.explore.model import Model
from cl_core.networks.methods import LossBreakdown, StoredKeys
from cl_core.runs.store import Run
from cl_core.training.setup import epoch_order, uses_labels


@dataclasses.dataclass(frozen=True)
class Batch:
    """Images, two views of each, and their embeddings.

    Attributes:
        rows: (N,) int64, rows of the data set. labels: (N,) int64.
        instances: (N,) int64, keys of the images in a memory bank; -1 for images outside the training set.
        views: (2N, 3, S, S) float32 in [0, 1], stacked [first; second].
        trained, untrained: (2N, D) float32, embeddings z by the trained and the initial weights.
    """

    rows: Tensor
    labels: Tensor
    instances: Tensor
    views: Tensor
    trained: Tensor
    untrained: Tensor


@torch.no_grad()
def embed_batch(run: Run, views: Tensor) -> Tensor:
    """Embeddings z (M, D) of views (M, 3, S, S) in [0, 1]."""
    return run.method.project(run.method.encoder(views))


MIN_BATCH, MAX_BATCH = 2, 32  # images
DIMENSION_BATCH_SIZE = 256  # images over which dimensions are correlated: chance correlations are about 1 / 16
NAMED = re.compile(rf"({DATASET_NAME.pattern}):(\d{{1,9}}(?:,\d{{1,9}})*)")


def picked_rows(picked: str, data: Dataset) -> tuple[int, ...]:
    """The images of `data` that "name:row,row,..." names, at most `MAX_BATCH`; none where it names another data set."""
    named = NAMED.fullmatch(picked)
    if named is None or named[1] != data.name:
        return ()
    rows = (int(row) for row in named[2].split(",")[:MAX_BATCH])
    return tuple(dict.fromkeys(row for row in rows if row < len(data)))


def chosen_batch(model: Model, picked: str, count: int, seed: int) -> Batch:
    """The images picked by hand if there are at least two, else `count` random ones.

    Of a run that learns from labels, picked images without one are left out, as in training.
    """
    rows = picked_rows(picked, model.dataset)
    if uses_labels(model.config):
        rows = tuple(row for row in rows if int(model.dataset.labels[row]) >= 0)
    return draw_batch(model, count if len(rows) < 2 else len(rows), seed, rows if len(rows) > 1 else ())


def draw_batch(model: Model, count: int, seed: int, rows_picked: tuple[int, ...] = ()) -> Batch:
    """`count` images of different groups, augmented as in the model's training; equal for equal seeds.

    Args:
        rows_picked: these images instead.
    """
    count = max(MIN_BATCH, min(int(count), MAX_BATCH))
    key = model.key_of(model.run), count, seed, rows_picked
    return model.caches.batches.get(key, lambda: _drawn(model, count, seed, rows_picked))


def dimension_batch(model: Model, seed: int) -> Batch:
    """Enough images to correlate the dimensions of their embeddings; equal for equal seeds."""
    key = model.key_of(model.run), DIMENSION_BATCH_SIZE, seed, ()
    return model.caches.batches.get(key, lambda: _drawn(model, DIMENSION_BATCH_SIZE, seed, ()))


def _drawn(model: Model, count: int, seed: int, rows_picked: tuple[int, ...]) -> Batch:
    run, data = model.run, model.dataset
    config = run.record.config.model_copy(update={"seed": seed})
    with_labels = uses_labels(config)
    usable = training_rows(data, with_labels)
    rows = torch.tensor(rows_picked) if rows_picked else usable[epoch_order(data.groups[usable], config, 0)][:count]
    generator = torch.Generator().manual_seed(seed)
    pair = [make_views(data.images[rows], config.augment, run.size, generator)[0] for _ in range(2)]
    views = torch.cat(pair)
    return Batch(
        rows,
        data.labels[rows],
        instances(data, with_labels)[0][rows],
        views,
        embed_batch(run, views),
        embed_batch(model.untrained, views),
    )


@torch.no_grad()
def loss_breakdowns(model: Model, batch: Batch, count: int) -> tuple[LossBreakdown, LossBreakdown]:
    """The loss of a batch taken apart, by the untrained and the trained network; at most `count` stored keys as negatives.

    An untrained network has stored nothing, and of a large bank nothing is kept: they are shown with the keys they
    would have for the same images.
    """
    trained, untrained = model.run, model.untrained
    stored = trained.method.stored_keys(batch.instances, count)
    before = None
    if stored is not None:
        plain = plain_views(key_images(model, stored.instances.clamp(min=0)), trained.size)
        before = StoredKeys(stored.instances, F.normalize(embed_batch(untrained, plain), dim=1))
        if not stored.saved:
            stored = StoredKeys(stored.instances, F.normalize(embed_batch(trained, plain), dim=1))
    return (
        untrained.method.loss_breakdown(batch.untrained, batch.labels, batch.instances, before),
        trained.method.loss_breakdown(batch.trained, batch.labels, batch.instances, stored),
    )


def key_images(model: Model, keys: Tensor) -> Tensor:
    """The images (K, 3, H, W) uint8 that instances (K,) of a model's training show."""
    data = model.dataset
    return data.images[instance_rows(data, uses_labels(model.config))[keys]]
