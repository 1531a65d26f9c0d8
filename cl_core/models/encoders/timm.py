"""Encoders of timm's architectures, for weights that others trained.

Such an encoder is called `timm/ARCHITECTURE/SIDE` or `timm/ARCHITECTURE/SIDE/POOL`: SIDE is that of the square the network
takes, in pixels, cut from the middle of the view; POOL is timm's `global_pool`, where it is not the architecture's own.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cl_core.errors import UserError
from cl_core.models.encoders.base import Encoder, Statistics, check_size

_NAME = re.compile(r"timm/(?P<architecture>[a-z0-9_]{1,80})/(?P<side>[1-9]\d{1,2})(?:/(?P<pool>[a-z]{2,12}))?")


@dataclasses.dataclass(frozen=True)
class TimmName:
    """What `timm/ARCHITECTURE/SIDE[/POOL]` says."""

    architecture: str
    side: int
    pool: str | None = None

    def __str__(self) -> str:
        return "/".join(["timm", self.architecture, str(self.side), *([self.pool] if self.pool else [])])


def timm_name(text: str) -> TimmName | None:
    """None where `text` is of another form. Whether there is such an architecture is asked when it is built."""
    found = _NAME.fullmatch(text)
    return TimmName(found["architecture"], int(found["side"]), found["pool"]) if found else None


class CenterCrop(nn.Module):
    """The square of `side` pixels in the middle of a view: (N, 3, S, S) -> (N, 3, side, side)."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        top, left = ((length - self.side) // 2 for length in images.shape[-2:])
        return images[..., top : top + self.side, left : left + self.side]


def build_timm(name: TimmName, statistics: Statistics) -> Encoder:
    """The architecture without its classifier, with fresh weights.

    Raises:
        UserError: timm has none of this name, it does not come at this size, or is too large.
    """
    try:
        with torch.device("meta"), torch.no_grad():
            sketch = _network(name, num_classes=0).eval()
            check_size(sketch, name.architecture)
            # The only sure way to learn how wide its features are, and that it takes this size.
            dim = sketch(torch.zeros(1, 3, name.side, name.side)).shape[1]
        network = _network(name, num_classes=0).eval()
    except (TypeError, ValueError, AssertionError, RuntimeError, IndexError) as error:
        raise UserError(f"{name.architecture} cannot be built at {name.side} px ({error}): choose another side.") from None
    return Encoder(nn.Sequential(CenterCrop(name.side), network), dim, statistics)


def trained_timm(name: TimmName, statistics: Statistics, weights: Path, pretrained: Mapping[str, Any]) -> Encoder:
    """`build_timm` with the weights of a safetensors file in timm's layout; positions are stretched to the side.

    Args:
        pretrained: timm's `pretrained_cfg` of these weights.

    Raises:
        UserError: as `build_timm`, or the weights are not whole or belong to another architecture.
    """
    encoder = build_timm(name, statistics)
    try:
        # All of the file must find its place, so the classifier is built too, and left behind afterwards.
        whole = _network(name, num_classes=int(pretrained["num_classes"]), weights=weights, pretrained=pretrained)
        found = whole.state_dict()
        network = encoder.backbone.get_submodule("1")
        network.load_state_dict({key: found[key] for key in network.state_dict()})
    except (KeyError, RuntimeError, SafetensorError):
        raise UserError(f"{weights.name} is cut off or does not hold the weights of a {name.architecture}.") from None
    return encoder


def _network(name: TimmName, num_classes: int, weights: Path | None = None, pretrained: Mapping[str, Any] | None = None) -> Any:
    import timm

    if not timm.is_model(name.architecture):
        raise UserError(f"timm {timm.__version__} knows no architecture {name.architecture!r}: choose another encoder.")
    options: dict[str, Any] = {"num_classes": num_classes, "global_pool": name.pool}
    if timm.get_pretrained_cfg_value(name.architecture, "fixed_input_size"):
        options["img_size"] = name.side
    if weights is None or pretrained is None:
        return timm.create_model(name.architecture, pretrained=False, **options)
    # Only this file, whatever the description says of files and addresses.
    kept = {key: pretrained[key] for key in ("num_classes", "input_size", "classifier", "first_conv") if key in pretrained}
    return timm.create_model(name.architecture, pretrained=True, pretrained_cfg={**kept, "file": str(weights)}, **options)
