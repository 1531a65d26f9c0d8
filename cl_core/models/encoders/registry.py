"""Encoders by name."""

from __future__ import annotations

from collections.abc import Callable

from cl_core.errors import UserError
from cl_core.models.encoders.base import NEUTRAL, Encoder, Statistics
from cl_core.models.encoders.resnet import resnet18, resnet18_32px, resnet50, resnet50_32px
from cl_core.models.encoders.small import cnn, mlp, small_resnet, small_vit

ENCODERS: dict[str, Callable[[int, Statistics], Encoder]] = {
    "small-resnet": small_resnet,
    "resnet18-32px": resnet18_32px,
    "resnet18": resnet18,
    "resnet50-32px": resnet50_32px,
    "resnet50": resnet50,
    "small-vit": small_vit,
    "cnn": cnn,
    "mlp": mlp,
}


def is_encoder(name: str) -> bool:
    """Whether `build_encoder` knows this kind of name."""
    from cl_core.models.encoders.timm import timm_name

    return name in ENCODERS or timm_name(name) is not None


def build_encoder(name: str, image_size: int, statistics: Statistics = NEUTRAL) -> Encoder:
    """The encoder called `name`, with fresh weights: a key of `ENCODERS`, or one of timm's (see `timm_encoders`).

    Raises:
        UserError: timm has no such architecture.
    """
    if name in ENCODERS:
        return ENCODERS[name](image_size, statistics)
    from cl_core.models.encoders.timm import build_timm, timm_name

    of_timm = timm_name(name)
    assert of_timm is not None, name
    if image_size < of_timm.side:
        raise UserError(f"{name} takes images of {of_timm.side} px: choose an image_size of at least that, not {image_size}.")
    return build_timm(of_timm, statistics)
