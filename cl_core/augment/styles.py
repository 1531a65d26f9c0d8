"""Augmentations that imitate the hand of another illustrator: shading, palette, flat fill, line drawing, thickness.

They come after the augmentations of SimCLR, so that features depend less on the style of a drawing.
All of them work on views (N, 3, S, S) float32 in [0, 1] and compute only the views that they change (on a GPU all of them).
"""

from __future__ import annotations

import dataclasses
from itertools import permutations
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.augment.ops import apply_to_rows, to_gray
from cl_core.augment.settings import AugmentConfig

CHANCES = ("shading_prob", "palette_prob", "flat_prob", "line_prob", "thickness_prob")  # the settings that turn styles on
PALETTES = tuple(permutations(range(3)))  # orders of the color channels, the first is the identity
LEVELS = (2, 4)  # fewest and most values that flat fill leaves of each channel
LINE_STRENGTHS = (2.0, 8.0)
COLORED_SHARE = 0.5  # of line drawings
DARK = 0.35  # luma below which a line drawing is filled


@dataclasses.dataclass(frozen=True)
class StyleRecord:
    """Parameters of N views.

    Attributes:
        shading: (N, 2) float32, relative change of brightness from the center to the right and to the lower edge; 0 is none.
            It is largest in a corner, where the two add up.
        palette: (N,) int64, index into `PALETTES`.
        levels: (N,) float32, number of values of each channel after flat fill; 0 is no flat fill.
        lines: (N,) float32, contrast of a line drawing; 0 is no line drawing.
        colored: (N,) bool, the lines are drawn over the view and not on white.
        thickness: (N,) int64: 1 draws dark parts one pixel thicker on each side, -1 thinner.
    """

    shading: Tensor
    palette: Tensor
    levels: Tensor
    lines: Tensor
    colored: Tensor
    thickness: Tensor

    def __getitem__(self, rows: slice | Tensor) -> StyleRecord:
        return StyleRecord(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))

    def as_dict(self, row: int) -> dict[str, Any]:
        """The parameters of one view by name, as numbers and lists."""
        return {field.name: getattr(self, field.name)[row].tolist() for field in dataclasses.fields(self)}


def sample_styles(count: int, config: AugmentConfig, generator: torch.Generator) -> StyleRecord | None:
    """Sample parameters for `count` views, on the generator's device; None if the settings have no style."""
    if not any(getattr(config, name) for name in CHANCES):
        return None
    device = generator.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    palette = (1 + uniform(count) * (len(PALETTES) - 1)).long()
    levels = (LEVELS[0] + uniform(count) * (LEVELS[1] - LEVELS[0] + 1)).floor().clamp(max=LEVELS[1])
    lines = LINE_STRENGTHS[0] + uniform(count) * (LINE_STRENGTHS[1] - LINE_STRENGTHS[0])
    colored = uniform(count) < COLORED_SHARE
    thickness = torch.where(uniform(count) < 0.5, -1, 1)
    chosen = uniform(5, count)
    slope = 2 * uniform(count, 2) - 1
    shading = config.shading * slope / slope.abs().sum(1, keepdim=True).clamp(min=1)
    return StyleRecord(
        shading=torch.where(chosen[4, :, None] < config.shading_prob, shading, 0.0),
        palette=torch.where(chosen[0] < config.palette_prob, palette, 0),
        levels=torch.where(chosen[1] < config.flat_prob, levels, 0.0),
        lines=torch.where(chosen[2] < config.line_prob, lines, 0.0),
        colored=colored,
        thickness=torch.where(chosen[3] < config.thickness_prob, thickness, 0),
    )


def shade(views: Tensor, shading: Tensor) -> Tensor:
    """Multiply each view by a plane: 1 in the center, 1 + shading[:, 0] at the right and 1 + shading[:, 1] at the lower edge."""
    size = views.shape[-1]
    place = (2 * torch.arange(size, device=views.device) + 1) / size - 1
    plane = 1 + shading[:, 0, None, None] * place + shading[:, 1, None, None] * place[:, None]
    return (views * plane[:, None]).clamp(0, 1)


def exchange_colors(views: Tensor, palette: Tensor) -> Tensor:
    """Exchange the color channels of each view; `palette` (N,) is an index into `PALETTES`."""
    # Computed, as copying `PALETTES` to a GPU would synchronize: two orders for each first channel.
    first, is_second = palette // 2, palette % 2 == 1
    low, high = (first == 0).long(), 2 - (first == 2).long()
    order = torch.stack([first, torch.where(is_second, high, low), torch.where(is_second, low, high)], 1)
    return views.gather(1, order[:, :, None, None].expand_as(views))


def fill_flat(views: Tensor, levels: Tensor) -> Tensor:
    """Round each channel to `levels` (N,) >= 2 equally spaced values."""
    steps = (levels - 1).clamp(min=1)[:, None, None, None]
    return (views * steps).round() / steps


def _largest(views: Tensor) -> Tensor:
    """The largest value among each pixel and its eight neighbors."""
    return F.max_pool2d(views, 3, stride=1, padding=1)


def draw_lines(views: Tensor, strength: Tensor, colored: Tensor) -> Tensor:
    """Draw black lines over each view where `colored` (N,) is set, and on white elsewhere, with dark parts filled.

    Lines are where a channel differs between neighboring pixels: its morphological gradient times `strength` (N,).
    """
    gradient = (_largest(views) + _largest(-views)).amax(1, keepdim=True)
    lines = (gradient * strength[:, None, None, None]).clamp(0, 1)
    on_white = 1 - torch.maximum(lines, ((DARK - to_gray(views)) * 8).clamp(0, 1))
    return torch.where(colored[:, None, None, None], views * (1 - lines), on_white)


def thicken(views: Tensor, thickness: Tensor) -> Tensor:
    """Grow dark parts by one pixel on each side where `thickness` (N,) is 1; shrink them where it is -1."""
    darker, lighter = -_largest(-views), _largest(views)
    return torch.where((thickness > 0)[:, None, None, None], darker, lighter)


def apply_styles(views: Tensor, record: StyleRecord) -> Tensor:
    """Restyle views (N, 3, S, S) float32 in [0, 1]; may modify them."""
    views = apply_to_rows(record.shading.abs().amax(1) > 0, shade, views, record.shading)
    views = apply_to_rows(record.palette > 0, exchange_colors, views, record.palette)
    views = apply_to_rows(record.levels > 0, fill_flat, views, record.levels)
    lines = torch.stack([record.lines, record.colored.float()], 1)
    views = apply_to_rows(record.lines > 0, lambda rows, of: draw_lines(rows, of[:, 0], of[:, 1] > 0), views, lines)
    return apply_to_rows(record.thickness != 0, thicken, views, record.thickness)
