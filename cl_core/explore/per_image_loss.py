"""The loss of single images, which shows the hard ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from cl_core.augment.views import make_views
from cl_core.losses.anatomy import nt_xent_anatomy
from cl_core.networks.embedding import embed_views
from cl_core.runs.store import Run

BATCH = 128
SEED = 1


def per_image_losses(run: Run, images: Tensor, progress: Callable[[float], None] | None = None) -> Tensor:
    """NT-Xent of each image in a random batch: the mean over its two views, in nats.

    With the run's temperature and augmentations, on embeddings z; deterministic.

    Args:
        images: (P, 3, H, W) uint8, P >= 2.
        progress: called with the fraction done, 0 to 1.

    Returns:
        (P,) float32.
    """
    generator = torch.Generator().manual_seed(SEED)
    config = run.record.config
    losses = torch.empty(len(images))
    order = torch.randperm(len(images), generator=generator)
    # Batches of nearly equal size: the loss depends on the number of negatives.
    parts = order.tensor_split(max(1, round(len(images) / BATCH)))
    for done, part in enumerate(parts, 1):
        pair = [make_views(images[part], config.augment, run.size, generator)[0] for _ in range(2)]
        z1, z2 = (embed_views(run.method, views, "embedding") for views in pair)
        losses[part] = nt_xent_anatomy(z1, z2, run.method.loss_temperature or config.temperature).terms.view(2, -1).mean(0)
        if progress:
            progress(done / len(parts))
    return losses
