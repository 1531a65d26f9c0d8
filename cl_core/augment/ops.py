"""The operations of the view recipe, each on a batch of images (N, 3, H, W) float32 in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

GRAY_WEIGHTS = (0.2989, 0.587, 0.114)  # ITU-R 601, the weights torchvision uses
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


def _resize_matrix(start: Tensor, length: Tensor, source: int, target: int) -> Tensor:
    """Antialiased linear interpolation of `source[start:start + length]` to `target` points: (N, target, source)."""
    start, length = start.float()[:, None, None], length.float()[:, None, None]
    scale = length / target
    center = scale * (torch.arange(target, device=start.device)[None, :, None] + 0.5)
    position = torch.arange(source, device=start.device)[None, None, :] + 0.5 - start
    weights = (1 - (position - center).abs() / scale.clamp(min=1)).clamp(min=0)
    weights = weights * ((position > 0) & (position < length))
    return weights / weights.sum(2, keepdim=True)


def crop_and_resize(images: Tensor, box: Tensor, flipped: Tensor, size: int) -> Tensor:
    """Crop each image to its box, resize to `size` x `size` (antialiased bilinear), mirror where asked.

    Both directions of the interpolation are matrix products, so one batch needs two of them.

    Args:
        images: (N, C, H, W) float32. box: (N, 4), see `ViewRecord`. flipped: (N,) bool.
    """
    count, channels, height, width = images.shape
    rows = _resize_matrix(box[:, 0], box[:, 2], height, size)
    columns = _resize_matrix(box[:, 1], box[:, 3], width, size)
    columns = torch.where(flipped[:, None, None], columns.flip(1), columns)
    wide = torch.bmm(images.reshape(count, channels * height, width), columns.mT)
    wide = wide.reshape(count, channels, height, size).transpose(1, 2).reshape(count, height, channels * size)
    out = torch.bmm(rows, wide).reshape(count, size, channels, size)
    return out.transpose(1, 2)


def picks_rows(device: torch.device) -> bool:
    return device.type == "cpu"


def _only(rows: Tensor, change: Callable[[Tensor, Tensor], Tensor], images: Tensor, amount: Tensor) -> Tensor:
    """`change(images, amount)` for the rows where `rows` (N,) bool says so.

    On the CPU only those are computed. An accelerator computes all: to pick some it would have to tell the host how many.
    """
    if not picks_rows(images.device):
        return torch.where(rows[:, None, None, None], change(images, amount), images)
    index = torch.nonzero(rows)[:, 0]
    if len(index):
        images[index] = change(images[index], amount[index])
    return images


def to_gray(images: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, 1, H, W), luma of ITU-R 601."""
    red, green, blue = images.unbind(1)
    return (GRAY_WEIGHTS[0] * red + GRAY_WEIGHTS[1] * green + GRAY_WEIGHTS[2] * blue)[:, None]


def shift_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue of (N, 3, H, W) images in [0, 1] by `shift` (N,) turns, value and chroma kept."""
    value, low = images.amax(1), images.amin(1)
    chroma = value - low
    red, green, blue = images.unbind(1)
    safe = torch.where(chroma > 0, chroma, 1.0)
    # Position on the hexagon of hues, 0 to 6 with red at 0.
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
    """Brightness, contrast, saturation and hue of (N, 3, H, W) images in [0, 1], each in its own order.

    The first three blend the image with black, with its mean gray, and with its own gray; so one
    blend serves images that are at different steps of their order.
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
        images = _only(is_hue & (factors[:, HUE] != 0), shift_hue, images, factors[:, HUE])
    return images


def blur_kernel_size(size: int) -> int:
    """Width of the blur kernel for a view of `size` pixels: the odd number nearest a tenth, at least 3 (SimCLR)."""
    return max(3, 2 * (size // 20) + 1)


def _blur_matrix(sigma: Tensor, size: int, kernel: int) -> Tensor:
    """Gaussian blur of a line of `size` points with mirrored borders, as a matrix: (N, size, size)."""
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
    """Blur (N, C, S, S) images by their own `sigma` (N,) > 0, in pixels, borders mirrored."""
    size = images.shape[-1]
    matrix = _blur_matrix(sigma, size, blur_kernel_size(size))[:, None]
    return matrix @ images @ matrix.mT
