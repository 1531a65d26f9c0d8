"""Descriptors for search: one vector for each image, robust to framing.

Query images have other margins than those of the gallery, are slightly rotated or mirrored. So each image is cropped to its
content, encoded in several test-time augmentations (`augmented`), and the features are averaged; directions that all images
share are scaled down (`SearchWhitening`), as is usual in image retrieval (Jegou and Chum 2012).
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.networks.embedding import checked_finite
from cl_core.networks.methods import Method
from cl_core.system.device import autocast


@dataclasses.dataclass(frozen=True)
class TTAView:
    """A test-time augmentation. zoom: side of the crop over the side of the content; degrees: clockwise rotation."""

    zoom: float = 1.0
    degrees: float = 0.0
    mirrored: bool = False


TTA_VIEWS = (TTAView(), TTAView(zoom=0.85, degrees=8), TTAView(zoom=1.15, degrees=-8), TTAView(mirrored=True))
SAME_COLOR = 12  # channels that differ by at most this many of 255 count as one color
SHRINKAGE = 0.4  # of the mean variance, added before whitening: directions of small variance are mostly noise
BATCH = 64
# Part of the cache key: it changes with the constants above.
KEY = hashlib.sha256(repr((TTA_VIEWS, SHRINKAGE, SAME_COLOR)).encode()).hexdigest()[:8]


def content_boxes(images: Tensor) -> tuple[Tensor, Tensor]:
    """The square around the content on a plain background, and the background's color.

    Where the corners differ in color there is no plain background, and the box is the whole image.

    Args:
        images: (N, 3, H, W) uint8.

    Returns:
        (N, 4) float32, top, left, height, width in pixels, which may extend over the border; (N, 3) uint8.
    """
    height, width = images.shape[2:]
    corners = images[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].int()
    background = images[:, :, 0, 0]
    plain = (corners.amax(2) - corners.amin(2)).amax(1) <= SAME_COLOR
    content = (images.int() - background.int()[:, :, None, None]).abs().amax(1) > SAME_COLOR
    content |= ~plain[:, None, None]
    content |= ~content.any(2).any(1)[:, None, None]  # of a blank image, all of it
    top, bottom = _extent(content.any(2))
    left, right = _extent(content.any(1))
    side = torch.maximum(bottom - top, right - left)
    box = torch.stack([(top + bottom - side) / 2, (left + right - side) / 2, side, side], 1)
    whole = torch.tensor([0.0, 0.0, height, width], device=images.device)
    return torch.where(plain[:, None], box, whole), background


def _extent(line: Tensor) -> tuple[Tensor, Tensor]:
    """First and one past the last True of each row of (N, L) bool, as float32."""
    first = line.int().argmax(1)
    last = line.shape[1] - line.flip(1).int().argmax(1)
    return first.float(), last.float()


def augmented(images: Tensor, size: int, views: Sequence[TTAView] = TTA_VIEWS) -> Tensor:
    """Images cropped to the square of their content, once for each test-time augmentation, padded with background.

    Args:
        images: (N, 3, H, W) uint8, of about `size` pixels: sampling does not smooth.

    Returns:
        (len(views), N, 3, size, size) float32 in [0, 1].
    """
    height, width = images.shape[2:]
    box, background = content_boxes(images)
    fill = background.float()[:, :, None, None] / 255
    above_background = images.float() / 255 - fill  # so that zero padding is background
    shape = torch.tensor([width, height], device=images.device)
    scale = box[:, 2:].flip(1) / shape
    shift = (2 * box[:, :2] + box[:, 2:]).flip(1) / shape - 1
    crops = []
    for view in views:
        cos, sin = math.cos(math.radians(view.degrees)), math.sin(math.radians(view.degrees))
        across = -1 if view.mirrored else 1
        turn = torch.tensor([[across * cos, sin], [-across * sin, cos]], device=images.device) * view.zoom
        transform = torch.cat([scale[:, :, None] * turn, shift[:, :, None]], 2)
        grid = F.affine_grid(transform, [len(images), 3, size, size], align_corners=False)
        crops.append((F.grid_sample(above_background, grid, align_corners=False) + fill).clamp(0, 1))
    return torch.stack(crops)


@torch.no_grad()
def describe(
    method: Method,
    images: Tensor,
    size: int,
    device: torch.device,
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """Features averaged over the test-time augmentations, before whitening: (N, D) float32 on the CPU.

    Args:
        method: in eval mode, on `device`.
        images: (N, 3, H, W) uint8.
        progress: called with the fraction done, 0 to 1.
    """
    parts = []
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH]
        views = augmented(part, size).flatten(0, 1).to(device, memory_format=torch.channels_last)
        with autocast(device, "auto"):
            features = F.normalize(method.encoder(views).float(), dim=1)
        parts.append(features.view(len(TTA_VIEWS), len(part), -1).mean(0).cpu())
        if progress:
            progress(min(1.0, (start + BATCH) / len(images)))
    return checked_finite(torch.cat(parts))


@dataclasses.dataclass(frozen=True)
class SearchWhitening:
    """An affine map that centers features and evens out their variances: mean (D,), matrix (D, D)."""

    mean: Tensor
    matrix: Tensor

    @classmethod
    def fit(cls, features: Tensor) -> SearchWhitening:
        """Fit the map to features (N, D) float32."""
        mean = features.mean(0)
        centered = features - mean
        variances, directions = torch.linalg.eigh(centered.T @ centered / len(features))
        variances = variances.clamp(min=0)
        scale = (variances + SHRINKAGE * variances.mean()).clamp(min=1e-12).rsqrt()
        # Rotated back (ZCA): cosines are the same, and the result does not depend on the eigenvectors' signs.
        return cls(mean, directions * scale @ directions.T)

    @classmethod
    def center(cls, features: Tensor) -> SearchWhitening:
        """The map that only centers: for features (N, D) that were whitened after training."""
        return cls(features.mean(0), torch.eye(features.shape[1]))

    def __call__(self, features: Tensor) -> Tensor:
        """Whitened features of length 1: (N, D) -> (N, D)."""
        return F.normalize((features - self.mean) @ self.matrix, dim=1)
