"""Recommended public encoders: small enough for two CPU cores, each pretrained in another way.

Size and license are those of timm's registry, which a test compares; speed was measured on two cores with bf16.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

Learned = Literal["labels", "captions", "clip", "images"]
# What the encoders learned from, for the command line.
LEARNED: dict[Learned, str] = {
    "labels": "labels",
    "captions": "captions (InfoNCE)",
    "clip": "captions (distilled from CLIP)",
    "images": "images alone",
}


@dataclasses.dataclass(frozen=True)
class Recommended:
    """A public encoder.

    Attributes:
        learned: what it learned from.
        year: of its paper.
        megabytes: to download.
        images_per_s: speed at 224 px.
    """

    repository: str
    title: str
    learned: Learned
    year: int
    license: str
    megabytes: int
    images_per_s: int


RECOMMENDED = (
    Recommended("timm/resnet18.a1_in1k", "ResNet-18", "labels", 2021, "apache-2.0", 47, 92),
    Recommended("timm/vit_xsmall_patch16_clip_224.tinyclip_yfcc15m", "TinyCLIP", "clip", 2023, "mit", 33, 46),
    Recommended("timm/vit_base_patch32_clip_224.openai", "CLIP ViT-B/32", "captions", 2021, "apache-2.0", 351, 34),
    Recommended("timm/resnet50_clip.openai", "CLIP ResNet-50", "captions", 2021, "mit", 154, 19),
    Recommended("timm/vit_small_patch16_224.dino", "DINO ViT-S/16", "images", 2021, "apache-2.0", 87, 20),
    Recommended("timm/vit_small_patch14_dinov2.lvd142m", "DINOv2 ViT-S/14", "images", 2023, "apache-2.0", 88, 15),
)
