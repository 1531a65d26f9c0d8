"""Small encoders that train in minutes on a CPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cl_core.networks.encoders.base import Encoder, Statistics
from cl_core.networks.encoders.small_map_conv import Conv2d


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al. 2016, fig. 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        same = inputs == outputs and stride == 1
        self.shortcut: nn.Module = (
            nn.Identity() if same else nn.Sequential(Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def small_resnet(image_size: int, statistics: Statistics) -> Encoder:
    """ResNet of 0.7 M parameters for 28 to 64 px: a stem, then two blocks each of 64 and 128 channels; 1,152 features.

    The stem has stride 2 for images above 32 px, else stride 1. The last map is pooled to 3 x 3 rather than 1 x 1 to
    preserve spatial position. A final BatchNorm without parameters centers and scales the features: after a ReLU all
    cosines would be positive and close together.
    """
    return _paired_blocks(image_size, (64, 128), 3, statistics)


def medium_resnet(image_size: int, statistics: Statistics) -> Encoder:
    """ResNet of 2.8 M parameters for 20 to 64 px: `small_resnet` with two more blocks of 256 channels; 1,024 features.

    The last map is pooled to 2 x 2.
    """
    return _paired_blocks(image_size, (64, 128, 256), 2, statistics)


def _paired_blocks(image_size: int, widths: Sequence[int], pooled: int, statistics: Statistics) -> Encoder:
    """A stem of 32 channels, then two blocks each of `widths` channels, of which the first has stride 2."""
    inputs = 32
    layers: list[nn.Module] = [
        Conv2d(3, inputs, 3, 2 if image_size > 32 else 1, 1, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
    ]
    for width in widths:
        layers += [BasicBlock(inputs, width, 2), BasicBlock(width, width, 1)]
        inputs = width
    return _pooled(layers, inputs, pooled, statistics)


def _pooled(layers: list[nn.Module], channels: int, side: int, statistics: Statistics) -> Encoder:
    """An encoder whose last map is pooled to side x side and normalized without parameters."""
    dim = channels * side**2
    layers += [nn.AdaptiveAvgPool2d(side), nn.Flatten(), nn.BatchNorm1d(dim, affine=False)]
    return Encoder(nn.Sequential(*layers), dim, statistics)


def fast_resnet(image_size: int, statistics: Statistics) -> Encoder:
    """ResNet of 1.1 M parameters for 20 to 64 px: a stem of stride 2, one block each of 128 and 256 channels; 1,024 features.

    Fewer and wider layers on small maps use a CPU better: about two and a half times as many images a second as `small_resnet`
    at 32 px. The last map is pooled to 2 x 2; the final BatchNorm is as there.
    """
    stem, widths, pooled = 32, (128, 256), 2
    layers: list[nn.Module] = [Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU(inplace=True)]
    if image_size > 32:
        layers.append(nn.MaxPool2d(2))
    inputs = stem
    for width in widths:
        layers.append(BasicBlock(inputs, width, 2))
        inputs = width
    return _pooled(layers, inputs, pooled, statistics)


class VisionTransformer(nn.Module):
    """Vision transformer with learned positions, pre-norm blocks and mean pooling (Dosovitskiy et al. 2021, no class token)."""

    def __init__(self, image_size: int, patch: int, dim: int, depth: int, heads: int) -> None:
        super().__init__()
        tokens = (image_size // patch) ** 2
        self.patches = nn.Conv2d(3, dim, patch, patch)
        self.positions = nn.Parameter(torch.randn(1, tokens, dim) * 0.02)
        block = nn.TransformerEncoderLayer(dim, heads, 4 * dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, depth, norm=nn.LayerNorm(dim), enable_nested_tensor=False)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        return self.blocks(tokens + self.positions).mean(1)


def small_vit(image_size: int, statistics: Statistics) -> Encoder:
    """ViT of 0.8 M parameters: about 8 x 8 patches, 4 blocks, 4 heads; 128 features."""
    dim = 128
    return Encoder(VisionTransformer(image_size, max(1, image_size // 8), dim, depth=4, heads=4), dim, statistics)


class Gray(nn.Module):
    """Mean over the channels: (N, 3, H, W) -> (N, 1, H, W)."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(1, keepdim=True)


def cnn(image_size: int, statistics: Statistics) -> Encoder:
    """Convolutions of 16 and 32 channels on grayscale, each with pooling, and a linear layer to 128 features."""
    dim = 128
    side = image_size // 4
    backbone = nn.Sequential(
        Gray(),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * side**2, dim),
    )
    return Encoder(backbone, dim, statistics)


def mlp(image_size: int, statistics: Statistics) -> Encoder:
    """Fully connected network on grayscale pixels: 784 inputs at 28 px, 128 hidden units, 128 features."""
    dim = 128
    backbone = nn.Sequential(Gray(), nn.Flatten(), nn.Linear(image_size**2, dim), nn.ReLU(inplace=True), nn.Linear(dim, dim))
    return Encoder(backbone, dim, statistics)


def table_mlp(columns: int, hidden: int = 10, outputs: int = 6) -> nn.Sequential:
    """Network for tabular data: Linear, tanh, Linear; (N, columns) -> (N, outputs)."""
    return nn.Sequential(nn.Linear(columns, hidden), nn.Tanh(), nn.Linear(hidden, outputs))
