"""Pictures -> features, in batches, whole pictures, nothing drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.data.views import plain_views
from cl_core.methods import Method

Layer = Literal["feature", "embedding"]

BATCH = 500


@torch.no_grad()
def embed(
    method: Method,
    pictures: Tensor,
    size: int,
    device: torch.device,
    layer: Layer = "feature",
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """Features h or embeddings z of whole pictures, scaled to length 1.

    Runs in float32 whatever the training used, so that the same picture has the same feature everywhere.

    Args:
        pictures: (N, 3, H, W) uint8.
        size: side the encoder was trained on, in pixels.
        layer: `feature` is what the encoder gives, `embedding` what the projection head makes of it.
        progress: called with the share done, 0 to 1.

    Returns:
        (N, D) float32 on the CPU. The method's train or eval mode is left as it was.
    """
    was_training = method.training
    method.eval()
    parts = []
    try:
        for start in range(0, len(pictures), BATCH):
            views = plain_views(pictures[start : start + BATCH].to(device), size)
            views = views.contiguous(memory_format=torch.channels_last)
            values = method.encoder(views)
            if layer == "embedding":
                values = method.project(values)
            parts.append(F.normalize(values.float(), dim=1).cpu())
            if progress:
                progress(min(1.0, (start + BATCH) / len(pictures)))
    finally:
        method.train(was_training)
    return torch.cat(parts)


def pixel_features(pictures: Tensor, size: int) -> Tensor:
    """The baseline every encoder must beat: the pixels themselves at the encoder's size, (N, 3 * size * size) float32."""
    return torch.cat([plain_views(part, size).flatten(1) for part in pictures.split(BATCH)])
