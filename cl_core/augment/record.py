"""Sampling of augmentation parameters for a batch of images."""

from __future__ import annotations

import dataclasses
import math
from functools import lru_cache

import torch
from torch import Tensor

from cl_core.augment.settings import AugmentConfig
from cl_core.augment.styles import StyleRecord, sample_styles

CROP_ATTEMPTS = 10


@dataclasses.dataclass(frozen=True)
class ViewRecord:
    """Augmentation parameters of N images.

    Attributes:
        box: (N, 4) int64, crop as top, left, height, width in pixels of the original.
        flipped: (N,) bool.
        factors: (N, 4) float32: brightness, contrast and saturation factors and hue shift; (1, 1, 1, 0) is the identity.
        order: (N, 4) int64, order in which the four are applied.
        gray: (N,) bool.
        sigma: (N,) float32, standard deviation of the blur in pixels of the view; 0 is no blur.
        style: parameters of the styles, which come last; None if there are none.
    """

    box: Tensor
    flipped: Tensor
    factors: Tensor
    order: Tensor
    gray: Tensor
    sigma: Tensor
    style: StyleRecord | None = None

    def __len__(self) -> int:
        return len(self.box)

    def __getitem__(self, rows: slice | Tensor) -> ViewRecord:
        parts = {name: value[rows] for name, value in vars(self).items() if value is not None}
        return dataclasses.replace(self, **parts)


def sample_crops(count: int, height: int, width: int, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Sample crop boxes like torchvision's RandomResizedCrop: (N, 4) int64, top, left, height, width."""
    device = generator.device
    uniform = torch.rand(4, count, CROP_ATTEMPTS, generator=generator, device=device)
    low, high = sorted((config.crop_scale_min, config.crop_scale_max))
    area = height * width * (low + (high - low) * uniform[0])
    aspect = torch.exp((2 * uniform[1] - 1) * math.log(config.crop_aspect))
    w, h = (area * aspect).sqrt().round().long(), (area / aspect).sqrt().round().long()
    fits = (w >= 1) & (w <= width) & (h >= 1) & (h <= height)
    first = fits.to(torch.int8).argmax(1, keepdim=True)
    # Without a valid attempt: the largest centered crop of an allowed aspect (the whole image if it is square).
    whole_h, whole_w = min(height, round(width * config.crop_aspect)), min(width, round(height * config.crop_aspect))
    valid = fits.any(1)
    h = torch.where(valid, h.gather(1, first)[:, 0], whole_h)
    w = torch.where(valid, w.gather(1, first)[:, 0], whole_w)
    u, v = (uniform[i].gather(1, first)[:, 0] for i in (2, 3))
    top = torch.where(valid, (u * (height - h + 1)).long(), (height - whole_h) // 2)
    left = torch.where(valid, (v * (width - w + 1)).long(), (width - whole_w) // 2)
    return torch.stack([top, left, h, w], 1)


@lru_cache(maxsize=64)
def _jitter_range(config: AugmentConfig, device: torch.device) -> tuple[Tensor, Tensor]:
    """Largest deviation of the factors and their neutral values, (4,) each; cached, as copies to a GPU would synchronize."""
    strengths = torch.tensor([config.brightness, config.contrast, config.saturation, config.hue], device=device)
    return strengths, torch.tensor([1.0, 1.0, 1.0, 0.0], device=device)


def sample_record(count: int, height: int, width: int, config: AugmentConfig, generator: torch.Generator) -> ViewRecord:
    """Sample parameters for `count` images of `height` x `width` pixels, on the generator's device."""
    device = generator.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    strengths, unchanged = _jitter_range(config, device)
    factors = unchanged + (2 * uniform(count, 4) - 1) * strengths
    jittered = uniform(count, 1) < config.color_jitter_prob
    low, high = sorted((config.blur_sigma_min, config.blur_sigma_max))
    sigma = low + (high - low) * uniform(count)
    return ViewRecord(
        box=sample_crops(count, height, width, config, generator),
        flipped=uniform(count) < config.flip_prob,
        factors=torch.where(jittered, factors, unchanged),
        order=uniform(count, 4).argsort(1),
        gray=uniform(count) < config.grayscale_prob,
        sigma=torch.where(uniform(count) < config.blur_prob, sigma, 0.0),
        style=sample_styles(count, config, generator),
    )
