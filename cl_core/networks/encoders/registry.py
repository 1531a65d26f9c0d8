"""Look up encoders by name."""

from __future__ import annotations

from collections.abc import Callable

from cl_core.errors import UserError
from cl_core.networks.encoders.base import NEUTRAL, Encoder, Statistics
from cl_core.networks.encoders.resnet import resnet18, resnet18_32px, resnet50, resnet50_32px
from cl_core.networks.encoders.small import cnn, fast_resnet, medium_resnet, mlp, small_resnet, small_vit

ENCODERS: dict[str, Callable[[int, Statistics], Encoder]] = {
    "small-resnet": small_resnet,
    "medium-resnet": medium_resnet,
    "fast-resnet": fast_resnet,
    "resnet18-32px": resnet18_32px,
    "resnet18": resnet18,
    "resnet50-32px": resnet50_32px,
    "resnet50": resnet50,
    "small-vit": small_vit,
    "cnn": cnn,
    "mlp": mlp,
}

# Whose feature maps are averaged, so that they take views of any size.
ANY_SIZE = ("small-resnet", "medium-resnet", "fast-resnet", "resnet18-32px", "resnet18", "resnet50-32px", "resnet50")


def is_encoder(name: str) -> bool:
    """Whether `name` is a key of `ENCODERS` or has the format of a timm encoder."""
    from cl_core.networks.encoders.timm import timm_name

    return name in ENCODERS or timm_name(name) is not None


def build_encoder(name: str, image_size: int, statistics: Statistics = NEUTRAL) -> Encoder:
    """Build an encoder with random weights.

    Args:
        name: a key of `ENCODERS`, or `timm/ARCHITECTURE/SIDE` (see `cl_core.networks.encoders.timm`).
        image_size: side of the views in pixels.

    Raises:
        UserError: timm has no such architecture, or `image_size` is too small for it.
    """
    if name in ENCODERS:
        return ENCODERS[name](image_size, statistics)
    from cl_core.networks.encoders.timm import build_timm, timm_name

    parsed = timm_name(name)
    assert parsed is not None, name
    if image_size < parsed.side:
        raise UserError("models.image_size", name=name, side=parsed.side, given=image_size)
    return build_timm(parsed, statistics)
