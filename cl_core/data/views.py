"""Views: augmented copies of pictures, made in one batch, with the record of what was done.

Sampling (`sample_record`) and applying (`apply_record`) are apart, so that what is shown to a
person is what was done, and so that each step can be checked against torchvision's own function.
The recipe is SimCLR's (Chen et al. 2020, appendix A): crop, flip, colour jitter, grey, blur.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from functools import lru_cache

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

GREY_WEIGHTS = (0.2989, 0.587, 0.114)  # ITU-R 601, the weights torchvision uses
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
CROP_ATTEMPTS = 10
CPU_CHUNK = 32  # pictures whose colours are changed together: small enough to stay in the cache
COMPILED_FROM = 32  # pictures from which on the compiled kernel is worth loading it


class ViewConfig(BaseModel):
    """How strongly views differ from the picture they come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop_scale_min: float = Field(0.2, gt=0, le=1, description="smallest share of the picture's area a crop keeps")
    crop_scale_max: float = Field(1.0, gt=0, le=1, description="largest share of the picture's area a crop keeps")
    crop_aspect: float = Field(4 / 3, ge=1, le=3, description="a crop's sides differ at most by this factor")
    flip: float = Field(0.5, ge=0, le=1, description="probability of a horizontal flip")
    jitter: float = Field(0.8, ge=0, le=1, description="probability of colour jitter")
    brightness: float = Field(0.4, ge=0, le=1, description="brightness factor is drawn from 1 - x to 1 + x")
    contrast: float = Field(0.4, ge=0, le=1, description="contrast factor is drawn from 1 - x to 1 + x")
    saturation: float = Field(0.4, ge=0, le=1, description="saturation factor is drawn from 1 - x to 1 + x")
    hue: float = Field(0.1, ge=0, le=0.5, description="hue shift is drawn from -x to x turns of the colour wheel")
    grey: float = Field(0.2, ge=0, le=1, description="probability of losing all colour")
    blur: float = Field(0.5, ge=0, le=1, description="probability of Gaussian blur")
    blur_sigma_min: float = Field(0.1, gt=0, le=10, description="smallest blur, standard deviation in pixels")
    blur_sigma_max: float = Field(2.0, gt=0, le=10, description="largest blur, standard deviation in pixels")


@dataclasses.dataclass(frozen=True)
class ViewRecord:
    """What was done to each of N pictures; every field is a tensor with N rows.

    box: (N, 4) int64, crop as top, left, height, width in pixels of the original.
    flipped: (N,) bool.
    factors: (N, 4) float32: brightness, contrast, saturation factors and hue shift; (1, 1, 1, 0) changes nothing.
    order: (N, 4) int64, the order in which those four were applied.
    grey: (N,) bool.
    sigma: (N,) float32, blur in pixels of the view; 0 is no blur.
    """

    box: Tensor
    flipped: Tensor
    factors: Tensor
    order: Tensor
    grey: Tensor
    sigma: Tensor

    def __len__(self) -> int:
        return len(self.box)

    def __getitem__(self, rows: slice | Tensor) -> ViewRecord:
        return ViewRecord(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


def sample_crops(count: int, height: int, width: int, config: ViewConfig, generator: torch.Generator) -> Tensor:
    """Crop boxes as torchvision's RandomResizedCrop draws them: (N, 4) int64, top, left, height, width."""
    device = generator.device
    uniform = torch.rand(4, count, CROP_ATTEMPTS, generator=generator, device=device)
    low, high = sorted((config.crop_scale_min, config.crop_scale_max))
    area = height * width * (low + (high - low) * uniform[0])
    aspect = torch.exp((2 * uniform[1] - 1) * math.log(config.crop_aspect))
    w, h = (area * aspect).sqrt().round().long(), (area / aspect).sqrt().round().long()
    fits = (w >= 1) & (w <= width) & (h >= 1) & (h <= height)
    first = fits.to(torch.int8).argmax(1, keepdim=True)
    # Where no attempt fits, the largest centred crop of an allowed aspect (always the whole picture if it is square).
    whole_h, whole_w = min(height, round(width * config.crop_aspect)), min(width, round(height * config.crop_aspect))
    found = fits.any(1)
    h = torch.where(found, h.gather(1, first)[:, 0], whole_h)
    w = torch.where(found, w.gather(1, first)[:, 0], whole_w)
    u, v = (uniform[i].gather(1, first)[:, 0] for i in (2, 3))
    top = torch.where(found, (u * (height - h + 1)).long(), (height - whole_h) // 2)
    left = torch.where(found, (v * (width - w + 1)).long(), (width - whole_w) // 2)
    return torch.stack([top, left, h, w], 1)


@lru_cache(maxsize=64)
def _jitter_range(config: ViewConfig, device: torch.device) -> tuple[Tensor, Tensor]:
    """How far factors move and where from, (4,) each; kept, for a host that hands numbers to an accelerator waits for it."""
    strengths = torch.tensor([config.brightness, config.contrast, config.saturation, config.hue], device=device)
    return strengths, torch.tensor([1.0, 1.0, 1.0, 0.0], device=device)


def sample_record(count: int, height: int, width: int, config: ViewConfig, generator: torch.Generator) -> ViewRecord:
    """Draw what happens to `count` pictures of `height` x `width` pixels, on the generator's device."""
    device = generator.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    strengths, unchanged = _jitter_range(config, device)
    factors = unchanged + (2 * uniform(count, 4) - 1) * strengths
    jittered = uniform(count, 1) < config.jitter
    low, high = sorted((config.blur_sigma_min, config.blur_sigma_max))
    sigma = low + (high - low) * uniform(count)
    return ViewRecord(
        box=sample_crops(count, height, width, config, generator),
        flipped=uniform(count) < config.flip,
        factors=torch.where(jittered, factors, unchanged),
        order=uniform(count, 4).argsort(1),
        grey=uniform(count) < config.grey,
        sigma=torch.where(uniform(count) < config.blur, sigma, 0.0),
    )


def _resize_matrix(start: Tensor, length: Tensor, source: int, target: int) -> Tensor:
    """Antialiased linear interpolation of `source[start:start + length]` to `target` points: (N, target, source)."""
    start, length = start.float()[:, None, None], length.float()[:, None, None]
    scale = length / target
    centre = scale * (torch.arange(target, device=start.device)[None, :, None] + 0.5)
    position = torch.arange(source, device=start.device)[None, None, :] + 0.5 - start
    weights = (1 - (position - centre).abs() / scale.clamp(min=1)).clamp(min=0)
    weights = weights * ((position > 0) & (position < length))
    return weights / weights.sum(2, keepdim=True)


def crop_and_resize(pictures: Tensor, box: Tensor, flipped: Tensor, size: int) -> Tensor:
    """Crop each picture to its box, resize to `size` x `size` (antialiased bilinear), mirror where asked.

    Both directions of the interpolation are matrix products, so one batch needs two of them.

    Args:
        pictures: (N, C, H, W) float32. box: (N, 4), see `ViewRecord`. flipped: (N,) bool.
    """
    count, channels, height, width = pictures.shape
    rows = _resize_matrix(box[:, 0], box[:, 2], height, size)
    columns = _resize_matrix(box[:, 1], box[:, 3], width, size)
    columns = torch.where(flipped[:, None, None], columns.flip(1), columns)
    wide = torch.bmm(pictures.reshape(count, channels * height, width), columns.mT)
    wide = wide.reshape(count, channels, height, size).transpose(1, 2).reshape(count, height, channels * size)
    out = torch.bmm(rows, wide).reshape(count, size, channels, size)
    return out.transpose(1, 2)


def picks_rows(device: torch.device) -> bool:
    return device.type == "cpu"


def _only(rows: Tensor, change: Callable[[Tensor, Tensor], Tensor], pictures: Tensor, amount: Tensor) -> Tensor:
    """`change(pictures, amount)` for the rows where `rows` (N,) bool says so.

    On the CPU only those are computed. An accelerator computes all: to pick some it would have to tell the host how many.
    """
    if not picks_rows(pictures.device):
        return torch.where(rows[:, None, None, None], change(pictures, amount), pictures)
    index = torch.nonzero(rows)[:, 0]
    if len(index):
        pictures[index] = change(pictures[index], amount[index])
    return pictures


def to_grey(pictures: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, 1, H, W), luma of ITU-R 601."""
    red, green, blue = pictures.unbind(1)
    return (GREY_WEIGHTS[0] * red + GREY_WEIGHTS[1] * green + GREY_WEIGHTS[2] * blue)[:, None]


def shift_hue(pictures: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue of (N, 3, H, W) pictures in [0, 1] by `shift` (N,) turns, value and chroma kept."""
    value, low = pictures.amax(1), pictures.amin(1)
    chroma = value - low
    red, green, blue = pictures.unbind(1)
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


def jitter_colours(pictures: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Brightness, contrast, saturation and hue of (N, 3, H, W) pictures in [0, 1], each in its own order.

    The first three blend the picture with black, with its mean grey, and with its own grey; so one
    blend serves pictures that are at different steps of their order.
    """
    for step in range(4):
        kind = order[:, step]
        amount = factors.gather(1, kind[:, None])[:, :, None, None]
        grey = to_grey(pictures)
        other = torch.where((kind == SATURATION)[:, None, None, None], grey, grey.mean((2, 3), keepdim=True))
        other = other * (kind != BRIGHTNESS)[:, None, None, None]
        is_hue = kind == HUE
        blend = torch.where(is_hue[:, None, None, None], 1.0, amount)
        pictures = torch.lerp(other, pictures, blend).clamp_(0, 1)
        pictures = _only(is_hue & (factors[:, HUE] != 0), shift_hue, pictures, factors[:, HUE])
    return pictures


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


def gaussian_blur(pictures: Tensor, sigma: Tensor) -> Tensor:
    """Blur (N, C, S, S) pictures by their own `sigma` (N,) > 0, in pixels, borders mirrored."""
    size = pictures.shape[-1]
    matrix = _blur_matrix(sigma, size, blur_kernel_size(size))[:, None]
    return matrix @ pictures @ matrix.mT


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
        from cl_core.data.view_kernel import apply_on_cpu

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
