"""Fast convolution of small feature maps on the CPU.

With images of 32 pixels the last stages of a ResNet have maps of 2 x 2 or 1 x 1. A 3 x 3 kernel then connects all points, so
the convolution is one matrix product. The general CPU kernels spend most of their time on the padding.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_MAP = 4  # points of a map; at 4 x 4 the general kernels are as fast


def _taps(source: int, target: int, stride: int, padding: int, kernel: int) -> list[list[int | None]]:
    """Along one axis: the kernel tap that connects target point i to source point j, or None."""
    offsets = [[j - (i * stride - padding) for j in range(source)] for i in range(target)]
    return [[tap if 0 <= tap < kernel else None for tap in row] for row in offsets]


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` that computes small maps on the CPU as a matrix product; weights and results are the same."""

    def _uses_product(self, x: Tensor) -> bool:
        plain = self.padding_mode == "zeros" and self.groups == 1 and self.dilation == (1, 1)
        plain = plain and not isinstance(self.padding, str)
        return plain and x.device.type == "cpu" and x.dim() == 4 and x.shape[2] * x.shape[3] <= MAX_MAP

    def forward(self, x: Tensor) -> Tensor:
        return self._product(x) if self._uses_product(x) else super().forward(x)

    def _product(self, x: Tensor) -> Tensor:
        assert not isinstance(self.padding, str)
        (high, wide), count = x.shape[2:], len(x)
        out_high, out_wide = (
            (size + 2 * pad - kernel) // stride + 1
            for size, pad, kernel, stride in zip((high, wide), self.padding, self.kernel_size, self.stride, strict=True)
        )
        rows = _taps(high, out_high, self.stride[0], self.padding[0], self.kernel_size[0])
        columns = _taps(wide, out_wide, self.stride[1], self.padding[1], self.kernel_size[1])
        # Skip source points outside all kernels (a 1 x 1 kernel of stride 2 skips three of four).
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


def with_small_map_conv(module: nn.Module) -> nn.Module:
    """Replace all `nn.Conv2d` of a network by `Conv2d`, in place; names, parameters and results are unchanged.

    Returns:
        The network; a new module that shares the parameters if `module` is itself an `nn.Conv2d`.
    """
    if type(module) is nn.Conv2d:
        return _replacement(module)
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Conv2d:
                setattr(parent, name, _replacement(child))
    return module


def _replacement(layer: nn.Conv2d) -> Conv2d:
    """A `Conv2d` with the settings and parameters of `layer`."""
    new = Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]
        layer.stride,  # type: ignore[arg-type]
        layer.padding,  # type: ignore[arg-type]
        layer.dilation,  # type: ignore[arg-type]
        layer.groups,
        layer.bias is not None,
        layer.padding_mode,
        device="meta",  # no memory, and no draws from the random generator
    )
    new.weight, new.bias = layer.weight, layer.bias
    return new.train(layer.training)
