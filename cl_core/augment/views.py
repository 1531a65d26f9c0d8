"""Views: augmented copies of pictures, made in one batch, with the record of what was done.

Sampling (`sample_record`) and applying (`apply_record`) are apart, so that what is shown to a
person is what was done, and so that each step can be checked against torchvision's own function.
The recipe is SimCLR's (Chen et al. 2020, appendix A): crop, flip, colour jitter, grey, blur.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from cl_core.augment.ops import _only, blur_kernel_size, crop_and_resize, gaussian_blur, jitter_colours, to_grey
from cl_core.augment.record import ViewRecord, sample_record
from cl_core.augment.settings import ViewConfig

CPU_CHUNK = 32  # pictures whose colours are changed together: small enough to stay in the cache
COMPILED_FROM = 32  # pictures from which on the compiled kernel is worth loading it


def _recolour(views: Tensor, record: ViewRecord) -> Tensor:
    views = jitter_colours(views, record.factors, record.order)
    views = _only(record.grey, lambda rows, _: to_grey(rows).expand(-1, 3, -1, -1), views, record.sigma)
    return _only(record.sigma > 0, lambda rows, sigma: gaussian_blur(rows, sigma.clamp(min=1e-3)), views, record.sigma)


def _chunks(count: int, device: torch.device) -> Iterator[slice]:
    step = CPU_CHUNK if device.type == "cpu" else count
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def apply_record(pictures: Tensor, record: ViewRecord, size: int) -> Tensor:
    """Make the views that `record` describes.

    Args:
        pictures: (N, 3, H, W) uint8, on the record's device.
        size: side of the square views, in pixels.

    Returns:
        (N, 3, size, size) float32 in [0, 1].
    """
    if pictures.device.type == "cpu" and len(pictures) >= COMPILED_FROM:
        from cl_core.augment.kernel import apply_on_cpu

        return apply_on_cpu(pictures, record, size, blur_kernel_size(size))
    return apply_by_tensors(pictures, record, size)


def apply_by_tensors(pictures: Tensor, record: ViewRecord, size: int) -> Tensor:
    """`apply_record` in tensor operations, on any device; on an accelerator the host never waits for it."""
    views = []
    for rows in _chunks(len(pictures), pictures.device):
        part = record[rows]
        cropped = crop_and_resize(pictures[rows].float().div_(255), part.box, part.flipped, size)
        views.append(_recolour(cropped.clamp(0, 1), part))
    return torch.cat(views)


def make_views(pictures: Tensor, config: ViewConfig, size: int, generator: torch.Generator) -> tuple[Tensor, ViewRecord]:
    """One augmented view of each picture, (N, 3, size, size) float32 in [0, 1], and its record."""
    record = sample_record(len(pictures), pictures.shape[2], pictures.shape[3], config, generator)
    return apply_record(pictures, record, size), record


def plain_views(pictures: Tensor, size: int) -> Tensor:
    """The pictures themselves, whole, at the size the encoder was trained on: (N, 3, size, size) in [0, 1]."""
    count, _, height, width = pictures.shape
    if height == width == size:
        return pictures.float().div_(255)
    box = torch.tensor([0, 0, height, width], device=pictures.device).expand(count, 4)
    flipped = torch.zeros(count, dtype=torch.bool, device=pictures.device)
    return crop_and_resize(pictures.float().div_(255), box, flipped, size).clamp(0, 1)
