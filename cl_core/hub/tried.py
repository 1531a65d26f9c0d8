"""Public encoders to start with: small enough for two cores, each learned in another way.

Sizes and licences are what timm's registry states (a test compares them), speeds were measured on two cores with bf16.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Tried:
    """learned: by what. year: of its paper. megabytes: to fetch. a_second: pictures it looks at, at its own size up to 224 px."""

    repository: str
    title: str
    learned: str
    year: int
    licence: str
    megabytes: int
    a_second: int


TRIED = (
    Tried("timm/resnet18.a1_in1k", "ResNet-18", "labels (ImageNet)", 2021, "apache-2.0", 47, 92),
    Tried("timm/vit_xsmall_patch16_clip_224.tinyclip_yfcc15m", "TinyCLIP", "captions, taught by CLIP", 2023, "mit", 33, 46),
    Tried("timm/vit_base_patch32_clip_224.openai", "CLIP ViT-B/32", "captions, by InfoNCE", 2021, "apache-2.0", 351, 34),
    Tried("timm/resnet50_clip.openai", "CLIP ResNet-50", "captions, by InfoNCE", 2021, "mit", 154, 19),
    Tried("timm/vit_small_patch16_224.dino", "DINO ViT-S/16", "pictures alone, self-distillation", 2021, "apache-2.0", 87, 20),
    Tried(
        "timm/vit_small_patch14_dinov2.lvd142m",
        "DINOv2 ViT-S/14",
        "pictures alone, self-distillation",
        2023,
        "apache-2.0",
        88,
        15,
    ),
)
