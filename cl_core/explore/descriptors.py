"""What search compares: one vector an image, that changes little with how the image is framed.

An image from elsewhere has other margins than those of the gallery, is turned a little, or looks the other
way. So both are framed alike before they are encoded (`framed`), several times, and the features are averaged;
and the directions that all images share are scaled down (`Whitening`), as is usual in image retrieval (Jegou
and Chum 2012).
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.models.methods import Method
from cl_core.system.device import autocast


@dataclasses.dataclass(frozen=True)
class Frame:
    """One way to look at an image. zoom: side of the frame over the side of the content; degrees: clockwise turn."""

    zoom: float = 1.0
    degrees: float = 0.0
    mirrored: bool = False


FRAMES = (Frame(), Frame(zoom=0.85, degrees=8), Frame(zoom=1.15, degrees=-8), Frame(mirrored=True))
SAME_COLOR = 12  # channels that differ by at most this many of 255 count as one color
SHRINKAGE = 0.4  # of the mean variance, added before whitening: weak directions are mostly noise
BATCH = 64
# Names what is computed below: features kept under another key are of another kind.
KEY = hashlib.sha256(repr((FRAMES, SHRINKAGE, SAME_COLOR)).encode()).hexdigest()[:8]


def content_boxes(images: Tensor) -> tuple[Tensor, Tensor]:
    """The square around what stands out from a plain background, and the background's color.

    Where the corners differ in color there is no plain background: the box is the whole image.

    Args:
        images: (N, 3, H, W) uint8.

    Returns:
        (N, 4) float32, top, left, height, width in pixels, may reach over the border; (N, 3) uint8.
    """
    height, width = images.shape[2:]
    corners = images[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].int()
    background = images[:, :, 0, 0]
    plain = (corners.amax(2) - corners.amin(2)).amax(1) <= SAME_COLOR
    stands_out = (images.int() - background.int()[:, :, None, None]).abs().amax(1) > SAME_COLOR
    stands_out |= ~plain[:, None, None]
    stands_out |= ~stands_out.any(2).any(1)[:, None, None]  # an empty image is its own content
    top, bottom = _extent(stands_out.any(2))
    left, right = _extent(stands_out.any(1))
    side = torch.maximum(bottom - top, right - left)
    box = torch.stack([(top + bottom - side) / 2, (left + right - side) / 2, side, side], 1)
    whole = torch.tensor([0.0, 0.0, height, width], device=images.device)
    return torch.where(plain[:, None], box, whole), background


def _extent(line: Tensor) -> tuple[Tensor, Tensor]:
    """First and one past the last True of each row of (N, L) bool, as float32."""
    first = line.int().argmax(1)
    last = line.shape[1] - line.flip(1).int().argmax(1)
    return first.float(), last.float()


def framed(images: Tensor, size: int, frames: Sequence[Frame] = FRAMES) -> Tensor:
    """Images cut to their content's square, once for each frame, background around.

    Args:
        images: (N, 3, H, W) uint8, at about the size asked for: nothing is smoothed before sampling.

    Returns:
        (len(frames), N, 3, size, size) float32 in [0, 1].
    """
    height, width = images.shape[2:]
    box, background = content_boxes(images)
    fill = background.float()[:, :, None, None] / 255
    above_background = images.float() / 255 - fill  # zero beyond the border is then background
    shape = torch.tensor([width, height], device=images.device)
    scale = box[:, 2:].flip(1) / shape
    shift = (2 * box[:, :2] + box[:, 2:]).flip(1) / shape - 1
    views = []
    for frame in frames:
        cos, sin = math.cos(math.radians(frame.degrees)), math.sin(math.radians(frame.degrees))
        across = -1 if frame.mirrored else 1
        turn = torch.tensor([[across * cos, sin], [-across * sin, cos]], device=images.device) * frame.zoom
        transform = torch.cat([scale[:, :, None] * turn, shift[:, :, None]], 2)
        grid = F.affine_grid(transform, [len(images), 3, size, size], align_corners=False)
        views.append((F.grid_sample(above_background, grid, align_corners=False) + fill).clamp(0, 1))
    return torch.stack(views)


@torch.no_grad()
def describe(
    method: Method,
    images: Tensor,
    size: int,
    device: torch.device,
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """Features averaged over the frames, before whitening: (N, D) float32 on the CPU.

    Args:
        method: in eval mode, on `device`.
        images: (N, 3, H, W) uint8.
    """
    parts = []
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH]
        views = framed(part, size).flatten(0, 1).to(device, memory_format=torch.channels_last)
        with autocast(device, "auto"):
            features = F.normalize(method.encoder(views).float(), dim=1)
        parts.append(features.view(len(FRAMES), len(part), -1).mean(0).cpu())
        if progress:
            progress(min(1.0, (start + BATCH) / len(images)))
    return torch.cat(parts)


@dataclasses.dataclass(frozen=True)
class Whitening:
    """An affine map under which a gallery's features have no common part and alike spread: mean (D,), matrix (D, D)."""

    mean: Tensor
    matrix: Tensor

    @classmethod
    def fit(cls, features: Tensor) -> Whitening:
        """Learn the map from (N, D) features, float32."""
        mean = features.mean(0)
        centered = features - mean
        variances, directions = torch.linalg.eigh(centered.T @ centered / len(features))
        variances = variances.clamp(min=0)
        scale = (variances + SHRINKAGE * variances.mean()).clamp(min=1e-12).rsqrt()
        # Turned back (ZCA): cosines are the same, and the result does not hang on the eigenvectors' signs.
        return cls(mean, directions * scale @ directions.T)

    def __call__(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, D) of length 1."""
        return F.normalize((features - self.mean) @ self.matrix, dim=1)
