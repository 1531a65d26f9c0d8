"""Augmented views of a batch of images.

Sampling (`sample_record`) is separate from applying (`apply_record`), so that the parameters of a view can be displayed and
each step can be tested against torchvision. The augmentations are those of SimCLR (Chen et al. 2020, appendix A): crop,
flip, color jitter, grayscale, blur; and then `styles`.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from cl_core.augment.ops import apply_to_rows, blur_kernel_size, crop_and_resize, gaussian_blur, jitter_colors, to_gray
from cl_core.augment.record import ViewRecord, sample_record
from cl_core.augment.settings import AugmentConfig
from cl_core.augment.styles import apply_styles

CPU_CHUNK = 32  # images; small enough for the CPU cache
COMPILED_FROM = 32  # images; smaller batches do not use the compiled kernel, which takes time to load


def _recolor(views: Tensor, record: ViewRecord) -> Tensor:
    views = jitter_colors(views, record.factors, record.order)
    views = apply_to_rows(record.gray, lambda rows, _: to_gray(rows).expand(-1, 3, -1, -1), views, record.sigma)
    return apply_to_rows(record.sigma > 0, lambda rows, sigma: gaussian_blur(rows, sigma.clamp(min=1e-3)), views, record.sigma)


def _chunks(count: int, device: torch.device) -> Iterator[slice]:
    step = CPU_CHUNK if device.type == "cpu" else count
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def apply_record(images: Tensor, record: ViewRecord, size: int) -> Tensor:
    """Augment images with the given parameters.

    Args:
        images: (N, 3, H, W) uint8, on the record's device.
        size: side of the square views, in pixels.

    Returns:
        (N, 3, size, size) float32 in [0, 1].
    """
    if images.device.type == "cpu" and len(images) >= COMPILED_FROM:
        from cl_core.augment.kernel import apply_compiled

        views = apply_compiled(images, record, size, blur_kernel_size(size))
    else:
        views = apply_with_torch(images, record, size)
    return views if record.style is None else apply_styles(views, record.style)


def apply_with_torch(images: Tensor, record: ViewRecord, size: int) -> Tensor:
    """`apply_record` without styles in torch operations, on any device; on a GPU without synchronization."""
    views = []
    for rows in _chunks(len(images), images.device):
        part = record[rows]
        cropped = crop_and_resize(images[rows].float().div_(255), part.box, part.flipped, size)
        views.append(_recolor(cropped.clamp(0, 1), part))
    return torch.cat(views)


def make_views(images: Tensor, config: AugmentConfig, size: int, generator: torch.Generator) -> tuple[Tensor, ViewRecord]:
    """One random view of each image, (N, 3, size, size) float32 in [0, 1], and its parameters."""
    record = sample_record(len(images), images.shape[2], images.shape[3], config, generator)
    return apply_record(images, record, size), record


def plain_views(images: Tensor, size: int) -> Tensor:
    """The images without augmentation, resized: (N, 3, size, size) float32 in [0, 1]."""
    count, _, height, width = images.shape
    if height == width == size:
        return images.float().div_(255)
    box = torch.tensor([0, 0, height, width], device=images.device).expand(count, 4)
    flipped = torch.zeros(count, dtype=torch.bool, device=images.device)
    return crop_and_resize(images.float().div_(255), box, flipped, size).clamp(0, 1)
