"""ResNets of torchvision, with its ImageNet stem or a stem for images of 32 px."""

from __future__ import annotations

from torch import nn

from cl_core.models.encoders.base import Encoder, Statistics
from cl_core.models.encoders.small_map_conv import quick_on_small_maps


def _resnet(name: str, statistics: Statistics, small_stem: bool) -> Encoder:
    from torchvision import models

    backbone = getattr(models, name)(weights=None)
    dim = backbone.fc.in_features
    backbone.fc = nn.Identity()
    if small_stem:
        backbone.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        backbone.maxpool = nn.Identity()
    return Encoder(quick_on_small_maps(backbone), dim, statistics)


def resnet18(image_size: int, statistics: Statistics) -> Encoder:
    """torchvision's ResNet-18 with its ImageNet stem (7x7, stride 2, max pooling); 512 features."""
    return _resnet("resnet18", statistics, small_stem=False)


def resnet18_32px(image_size: int, statistics: Statistics) -> Encoder:
    """ResNet-18 for images of about 32 px: 3x3 stem, stride 1, no pooling (SimCLR, appendix B.9)."""
    return _resnet("resnet18", statistics, small_stem=True)


def resnet50(image_size: int, statistics: Statistics) -> Encoder:
    """torchvision's ResNet-50 with its ImageNet stem; 2,048 features."""
    return _resnet("resnet50", statistics, small_stem=False)


def resnet50_32px(image_size: int, statistics: Statistics) -> Encoder:
    """ResNet-50 with the 32 px stem of `resnet18_32px`."""
    return _resnet("resnet50", statistics, small_stem=True)
