"""Encoders with architectures and pretrained weights of timm.

Their names are `timm/ARCHITECTURE/SIDE` or `timm/ARCHITECTURE/SIDE/POOL`. SIDE is the side in pixels of the square input,
the center crop of the view; POOL is the `global_pool` of timm if it differs from the default of the architecture.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from cl_core.errors import UserError
from cl_core.networks.encoders.base import Encoder, Statistics, check_size

_NAME = re.compile(r"timm/(?P<architecture>[a-z0-9_]{1,80})/(?P<side>[1-9]\d{1,2})(?:/(?P<pool>[a-z]{2,12}))?")


@dataclasses.dataclass(frozen=True)
class TimmName:
    """Parsed name of a timm encoder."""

    architecture: str
    side: int
    pool: str | None = None

    def __str__(self) -> str:
        return "/".join(["timm", self.architecture, str(self.side), *([self.pool] if self.pool else [])])


def timm_name(text: str) -> TimmName | None:
    """Parse a name; None if it has another format. The architecture is not checked."""
    match = _NAME.fullmatch(text)
    return TimmName(match["architecture"], int(match["side"]), match["pool"]) if match else None


class CenterCrop(nn.Module):
    """Center crop: (N, 3, S, S) -> (N, 3, side, side)."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        top, left = ((length - self.side) // 2 for length in images.shape[-2:])
        return images[..., top : top + self.side, left : left + self.side]


def build_timm(name: TimmName, statistics: Statistics) -> Encoder:
    """Build the architecture without its classifier, with random weights.

    Raises:
        UserError: timm has no such architecture, it does not support this side, or it is too large.
    """
    try:
        with torch.device("meta"), torch.no_grad():
            sketch = _network(name, num_classes=0).eval()
            check_size(sketch, name.architecture)
            # A forward pass is the only reliable way to get the feature dimension and to check the side.
            dim = sketch(torch.zeros(1, 3, name.side, name.side)).shape[1]
        network = _network(name, num_classes=0).eval()
    except (TypeError, ValueError, AssertionError, RuntimeError, IndexError) as error:
        raise UserError("models.cannot_build", name=name.architecture, side=name.side, reason=str(error)) from None
    return Encoder(nn.Sequential(CenterCrop(name.side), network), dim, statistics)


def trained_timm(name: TimmName, statistics: Statistics, weights: Path, pretrained: Mapping[str, Any]) -> Encoder:
    """`build_timm` with the weights of a safetensors file in the layout of timm; position embeddings are interpolated.

    Args:
        pretrained: the `pretrained_cfg` of the weights.

    Raises:
        UserError: see `build_timm`; or the weights are incomplete or belong to another architecture.
    """
    encoder = build_timm(name, statistics)
    try:
        # All tensors of the file must match, so the classifier is built too and then dropped.
        full = _network(name, num_classes=int(pretrained["num_classes"]), weights=weights, pretrained=pretrained)
        state = full.state_dict()
        _check_types(weights, state)
        network = encoder.backbone.get_submodule("1")
        network.load_state_dict({key: state[key] for key in network.state_dict()})
    except (KeyError, RuntimeError, SafetensorError):
        raise UserError("models.bad_weights", file=weights.name, name=name.architecture) from None
    return encoder


def _check_types(weights: Path, expected: Mapping[str, Tensor]) -> None:
    """Check that a file holds floating-point numbers for all floating-point tensors: timm would convert others."""
    with safe_open(weights, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            kind = file.get_slice(name).get_dtype()
            if name in expected and expected[name].is_floating_point() != kind.startswith(("F", "BF")):
                raise RuntimeError(f"{name} is {kind}")


def _network(name: TimmName, num_classes: int, weights: Path | None = None, pretrained: Mapping[str, Any] | None = None) -> Any:
    import timm

    if not timm.is_model(name.architecture):
        raise UserError("models.no_architecture", version=timm.__version__, name=name.architecture)
    options: dict[str, Any] = {"num_classes": num_classes, "global_pool": name.pool}
    if timm.get_pretrained_cfg_value(name.architecture, "fixed_input_size"):
        options["img_size"] = name.side
    if weights is None or pretrained is None:
        return timm.create_model(name.architecture, pretrained=False, **options)
    # Only `weights` is read: file names and addresses in the description are dropped.
    safe = {key: pretrained[key] for key in ("num_classes", "input_size", "classifier", "first_conv") if key in pretrained}
    return timm.create_model(name.architecture, pretrained=True, pretrained_cfg={**safe, "file": str(weights)}, **options)
