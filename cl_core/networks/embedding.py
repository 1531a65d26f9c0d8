"""Features and embeddings of images without augmentation, computed in batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.augment.views import plain_views
from cl_core.errors import UserError
from cl_core.networks.methods import Method
from cl_core.system.device import Precision, autocast

Layer = Literal["feature", "embedding"]

BATCH = 500
PIXELS_BYTES = 1e9  # of the baseline's features; 10,000 images of 224 pixels would take 6e9


class NotFiniteError(UserError):
    """A network gives features that are NaN or infinite."""


def checked_finite(features: Tensor) -> Tensor:
    """`features`, on the CPU.

    Raises:
        NotFiniteError: some are NaN or infinite.
    """
    if not features.isfinite().all():
        raise NotFiniteError("models.not_finite")
    return features


@torch.no_grad()
def embed_views(
    method: Method, views: Tensor, layer: Layer = "feature", precision: Precision = "float32", normalized: bool = True
) -> Tensor:
    """Features h or embeddings z of views in eval mode.

    Args:
        views: (N, 3, S, S) float in [0, 1], on the method's device.
        precision: bf16 is up to three times as fast with hardware support, accurate to two or three digits.
        normalized: scale to length 1.

    Returns:
        (N, D) float32 on the CPU. The mode of the method is restored.

    Raises:
        NotFiniteError: the network gives NaN or infinity.
    """
    was_training = method.training
    method.eval()
    try:
        with autocast(views.device, precision):
            values = method.encoder(views.contiguous(memory_format=torch.channels_last))
            if layer == "embedding":
                values = method.project(values)
    finally:
        method.train(was_training)
    values = F.normalize(values.float(), dim=1) if normalized else values.float()
    return checked_finite(values.cpu())


def embed(
    method: Method,
    images: Tensor,
    size: int,
    device: torch.device,
    layer: Layer = "feature",
    progress: Callable[[float], None] | None = None,
    precision: Precision = "float32",
    normalized: bool = True,
) -> Tensor:
    """`embed_views` of images without augmentation, in batches.

    Args:
        images: (N, 3, H, W) uint8.
        size: side of the views in pixels, as in training.
        layer: `feature` is the output of the encoder, `embedding` that of the projection head.
        progress: called with the fraction done, 0 to 1.
    """
    parts = []
    for start in range(0, len(images), BATCH):
        views = plain_views(images[start : start + BATCH].to(device), size)
        parts.append(embed_views(method, views, layer, precision, normalized))
        if progress:
            progress(min(1.0, (start + BATCH) / len(images)))
    return torch.cat(parts)


def pixel_side(size: int, count: int) -> int:
    """Side in pixels, at most `size`, at which the pixel features of `count` images fit into `PIXELS_BYTES`."""
    return max(1, min(size, math.isqrt(int(PIXELS_BYTES) // (3 * 4 * max(1, count)))))


def pixel_features(images: Tensor, size: int) -> Tensor:
    """Baseline features: the pixels of the resized images, (N, 3 * size * size) float32."""
    return torch.cat([plain_views(part, size).flatten(1) for part in images.split(BATCH)])
