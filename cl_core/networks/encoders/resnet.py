"""ResNets of torchvision with the ImageNet stem or a stem for images of 32 px."""

from __future__ import annotations

from torch import nn

from cl_core.networks.encoders.base import Encoder, Statistics
from cl_core.networks.encoders.small_map_conv import with_small_map_conv


def _resnet(name: str, statistics: Statistics, small_stem: bool) -> Encoder:
    from torchvision import models

    backbone = getattr(models, name)(weights=None)
    dim = backbone.fc.in_features
    backbone.fc = nn.Identity()
    if small_stem:
        backbone.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        backbone.maxpool = nn.Identity()
    return Encoder(with_small_map_conv(backbone), dim, statistics)


def resnet18(image_size: int, statistics: Statistics) -> Encoder:
    """ResNet-18 of torchvision with the ImageNet stem (7x7, stride 2, max pooling); 512 features."""
    return _resnet("resnet18", statistics, small_stem=False)


def resnet18_32px(image_size: int, statistics: Statistics) -> Encoder:
    """ResNet-18 for images of about 32 px: 3x3 stem, stride 1, no pooling (SimCLR, appendix B.9); 512 features."""
    return _resnet("resnet18", statistics, small_stem=True)


def resnet50(image_size: int, statistics: Statistics) -> Encoder:
    """ResNet-50 of torchvision with the ImageNet stem; 2,048 features."""
    return _resnet("resnet50", statistics, small_stem=False)


def resnet50_32px(image_size: int, statistics: Statistics) -> Encoder:
    """ResNet-50 with the stem of `resnet18_32px`; 2,048 features."""
    return _resnet("resnet50", statistics, small_stem=True)
