"""Convolutions that are quick on small maps.

The last stages of a ResNet see maps of 2 x 2 or 1 x 1 when images have 32 pixels. There a 3 x 3 kernel
reaches from every point to every point, so the convolution is one matrix product; the general kernels of
the CPU library spend most of their time on the border instead.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LARGEST_MAP = 4  # points of a map; at 4 x 4 the general kernels are as quick again


def _taps(source: int, target: int, stride: int, padding: int, kernel: int) -> list[list[int | None]]:
    """Along one axis: which tap of the kernel joins target point i to source point j, None if none does."""
    offsets = [[j - (i * stride - padding) for j in range(source)] for i in range(target)]
    return [[tap if 0 <= tap < kernel else None for tap in row] for row in offsets]


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` with the same weights and the same values, as a matrix product where the map is small and on the CPU."""

    def _small(self, x: Tensor) -> bool:
        plain = self.padding_mode == "zeros" and self.groups == 1 and self.dilation == (1, 1)
        plain = plain and not isinstance(self.padding, str)
        return plain and x.device.type == "cpu" and x.dim() == 4 and x.shape[2] * x.shape[3] <= LARGEST_MAP

    def forward(self, x: Tensor) -> Tensor:
        return self._product(x) if self._small(x) else super().forward(x)

    def _product(self, x: Tensor) -> Tensor:
        assert not isinstance(self.padding, str)
        (high, wide), count = x.shape[2:], len(x)
        out_high, out_wide = (
            (size + 2 * pad - kernel) // stride + 1
            for size, pad, kernel, stride in zip((high, wide), self.padding, self.kernel_size, self.stride, strict=True)
        )
        rows = _taps(high, out_high, self.stride[0], self.padding[0], self.kernel_size[0])
        columns = _taps(wide, out_wide, self.stride[1], self.padding[1], self.kernel_size[1])
        # Source points that no kernel reaches (a 1 x 1 kernel of stride 2 skips three of four) are left out.
        used = [
            (y, x)
            for y in range(high)
            for x in range(wide)
            if any(row[y] is not None for row in rows) and any(column[x] is not None for column in columns)
        ]
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            weight = weight.to(torch.get_autocast_dtype("cpu"))
        blank = weight.new_zeros(self.out_channels, self.in_channels)

        def block(v: int | None, h: int | None) -> Tensor:
            return blank if v is None or h is None else weight[:, :, v, h]

        matrix = torch.cat([torch.cat([block(row[y], column[x]) for y, x in used], 1) for row in rows for column in columns])
        points = x.permute(0, 2, 3, 1)
        if len(used) < high * wide:
            points = torch.stack([points[:, y, x] for y, x in used], 1)
        bias = None if self.bias is None else self.bias.repeat(out_high * out_wide)
        out = F.linear(points.reshape(count, -1), matrix, bias)
        return out.view(count, out_high, out_wide, self.out_channels).permute(0, 3, 1, 2)


def quick_on_small_maps(module: nn.Module) -> nn.Module:
    """Let all plain convolutions of a network take the quick way; names, weights and values stay."""
    for child in module.modules():
        if type(child) is nn.Conv2d:
            child.__class__ = Conv2d
    return module
