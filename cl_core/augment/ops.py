"""Augmentation operations on batches of images (N, 3, H, W) float32 in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

GRAY_WEIGHTS = (0.2989, 0.587, 0.114)  # ITU-R 601, as in torchvision
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


def _resize_matrix(start: Tensor, length: Tensor, source: int, target: int) -> Tensor:
    """Matrices (N, target, source) of antialiased linear interpolation of `source[start:start + length]` to `target` points."""
    start, length = start.float()[:, None, None], length.float()[:, None, None]
    scale = length / target
    center = scale * (torch.arange(target, device=start.device)[None, :, None] + 0.5)
    position = torch.arange(source, device=start.device)[None, None, :] + 0.5 - start
    weights = (1 - (position - center).abs() / scale.clamp(min=1)).clamp(min=0)
    weights = weights * ((position > 0) & (position < length))
    return weights / weights.sum(2, keepdim=True)


def crop_and_resize(images: Tensor, box: Tensor, flipped: Tensor, size: int) -> Tensor:
    """Crop each image to its box, resize to `size` x `size` (antialiased bilinear) and flip horizontally.

    Interpolation is separable: one batched matrix product per axis.

    Args:
        images: (N, C, H, W) float32.
        box: (N, 4), see `ViewRecord`.
        flipped: (N,) bool.
    """
    count, channels, height, width = images.shape
    rows = _resize_matrix(box[:, 0], box[:, 2], height, size)
    columns = _resize_matrix(box[:, 1], box[:, 3], width, size)
    columns = torch.where(flipped[:, None, None], columns.flip(1), columns)
    wide = torch.bmm(images.reshape(count, channels * height, width), columns.mT)
    wide = wide.reshape(count, channels, height, size).transpose(1, 2).reshape(count, height, channels * size)
    out = torch.bmm(rows, wide).reshape(count, size, channels, size)
    return out.transpose(1, 2)


def indexes_rows(device: torch.device) -> bool:
    """Whether `apply_to_rows` computes the selected rows only."""
    return device.type == "cpu"


def apply_to_rows(rows: Tensor, change: Callable[[Tensor, Tensor], Tensor], images: Tensor, amount: Tensor) -> Tensor:
    """Apply `change(images, amount)` to the selected rows; may modify `images`.

    The CPU computes the selected rows only. A GPU computes all rows: their number would have to be copied to the host.

    Args:
        rows: (N,) bool.
    """
    if not indexes_rows(images.device):
        return torch.where(rows[:, None, None, None], change(images, amount), images)
    index = torch.nonzero(rows)[:, 0]
    if len(index):
        images[index] = change(images[index], amount[index])
    return images


def to_gray(images: Tensor) -> Tensor:
    """Luma of ITU-R 601: (N, 3, H, W) -> (N, 1, H, W)."""
    red, green, blue = images.unbind(1)
    return (GRAY_WEIGHTS[0] * red + GRAY_WEIGHTS[1] * green + GRAY_WEIGHTS[2] * blue)[:, None]


def shift_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Rotate the hue of (N, 3, H, W) images in [0, 1] by `shift` (N,) turns; value and chroma are unchanged."""
    value, low = images.amax(1), images.amin(1)
    chroma = value - low
    red, green, blue = images.unbind(1)
    safe = torch.where(chroma > 0, chroma, 1.0)
    # Position on the hue hexagon, 0 to 6 with red at 0.
    hue = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    hue = hue + 6 * shift[:, None, None]
    channels = []
    for corner in (5, 3, 1):
        k = torch.remainder(hue + corner, 6)
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, 1)


def jitter_colors(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Jitter brightness, contrast, saturation and hue of (N, 3, H, W) images in [0, 1].

    The first three blend an image with black, with its mean luma and with its luma, so one blend serves images at
    different steps of their order.

    Args:
        factors, order: (N, 4), see `ViewRecord`.
    """
    for step in range(4):
        kind = order[:, step]
        amount = factors.gather(1, kind[:, None])[:, :, None, None]
        gray = to_gray(images)
        other = torch.where((kind == SATURATION)[:, None, None, None], gray, gray.mean((2, 3), keepdim=True))
        other = other * (kind != BRIGHTNESS)[:, None, None, None]
        is_hue = kind == HUE
        blend = torch.where(is_hue[:, None, None, None], 1.0, amount)
        images = torch.lerp(other, images, blend).clamp_(0, 1)
        images = apply_to_rows(is_hue & (factors[:, HUE] != 0), shift_hue, images, factors[:, HUE])
    return images


def blur_kernel_size(size: int) -> int:
    """Width of the blur kernel: the odd number nearest to a tenth of `size` pixels, at least 3 (SimCLR)."""
    return max(3, 2 * (size // 20) + 1)


def _blur_matrix(sigma: Tensor, size: int, kernel: int) -> Tensor:
    """Matrices (N, size, size) of the Gaussian blur of `size` points with reflected borders."""
    half = kernel // 2
    offsets = torch.arange(-half, half + 1, device=sigma.device)
    weights = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    weights = weights / weights.sum(1, keepdim=True)
    source = (torch.arange(size, device=sigma.device)[:, None] + offsets).abs()
    source = torch.where(source >= size, 2 * (size - 1) - source, source)
    matrix = torch.zeros(len(sigma), size, size, device=sigma.device)
    index = source.expand(len(sigma), size, kernel)
    return matrix.scatter_add_(2, index, weights[:, None, :].expand(-1, size, -1).contiguous())


def gaussian_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of (N, C, S, S) images with standard deviations `sigma` (N,) > 0 in pixels; borders are reflected."""
    size = images.shape[-1]
    matrix = _blur_matrix(sigma, size, blur_kernel_size(size))[:, None]
    return matrix @ images @ matrix.mT
