"""Shapes, sizes and stems of encoders."""

from __future__ import annotations

import pytest
import torch

from cl_core.networks.encoders.registry import ANY_SIZE, ENCODERS, build_encoder
from cl_core.networks.encoders.small import table_mlp


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("size", [28, 32, 64])
@pytest.mark.parametrize("name", ENCODERS)
def test_features(name: str, size: int) -> None:
    encoder = build_encoder(name, size).eval()
    features = encoder(torch.rand(2, 3, size, size))
    assert features.shape == (2, encoder.dim)
    assert torch.isfinite(features).all()


def test_small_resnet_is_small() -> None:
    assert 600_000 < parameters(build_encoder("small-resnet", 64)) < 800_000


def test_medium_resnet_has_one_more_stage_than_small_resnet() -> None:
    small, medium = (build_encoder(name, 32) for name in ("small-resnet", "medium-resnet"))
    assert 2_700_000 < parameters(medium) < 2_900_000
    shared = [key for key, value in small.state_dict().items() if value.ndim > 1]
    assert all(medium.state_dict()[key].shape == small.state_dict()[key].shape for key in shared)


def test_fast_resnet_is_small() -> None:
    assert 1_000_000 < parameters(build_encoder("fast-resnet", 32)) < 1_200_000


@pytest.mark.parametrize("name", ANY_SIZE)
def test_encoders_that_take_views_of_any_size(name: str) -> None:
    encoder = build_encoder(name, 32).eval()
    assert {tuple(encoder(torch.rand(2, 3, size, size)).shape) for size in (20, 24, 32, 48)} == {(2, encoder.dim)}


def test_resnet18_equals_torchvision_without_classifier() -> None:
    from torchvision.models import resnet18

    theirs = resnet18()
    assert build_encoder("resnet18", 224).dim == 512
    assert parameters(build_encoder("resnet18", 224)) == parameters(theirs) - parameters(theirs.fc)


def test_stem_for_32_px_keeps_the_size() -> None:
    small, large = (build_encoder(name, 32).backbone for name in ("resnet18-32px", "resnet18"))
    image = torch.rand(1, 3, 32, 32)
    assert small.maxpool(small.conv1(image)).shape[-1] == 32  # type: ignore[operator, union-attr]
    assert large.maxpool(large.conv1(image)).shape[-1] == 8  # type: ignore[operator, union-attr]


def test_normalization_by_statistics() -> None:
    encoder = build_encoder("small-resnet", 32, ((0.2, 0.4, 0.6), (0.1, 0.2, 0.3)))
    image = torch.tensor([0.3, 0.6, 0.9]).view(1, 3, 1, 1)
    assert torch.allclose(encoder.normalize(image), torch.ones(1, 3, 1, 1))
    assert {"normalize.mean", "normalize.std"} <= encoder.state_dict().keys()


def test_resnet50_width_and_stems() -> None:
    small, large = build_encoder("resnet50-32px", 32), build_encoder("resnet50", 224)
    assert small.dim == large.dim == 2048
    assert small.backbone.conv1.stride == (1, 1)  # type: ignore[union-attr]
    assert large.backbone.conv1.stride == (2, 2)  # type: ignore[union-attr]
    assert 23_000_000 < parameters(small) < 24_000_000


def test_small_vit_depends_on_patch_position() -> None:
    vit = build_encoder("small-vit", 32).eval()
    assert 700_000 < parameters(vit) < 900_000
    image = torch.zeros(1, 3, 32, 32)
    left, right = image.clone(), image.clone()
    left[..., :4], right[..., -4:] = 1, 1
    assert not torch.allclose(vit(left), vit(right), atol=1e-4)


def test_layer_widths_of_mlp_and_cnn() -> None:
    """784-128-128, and convolutions of 16 and 32 channels with 1,568 inputs to the last layer."""
    widths = [p.shape for p in build_encoder("mlp", 28).parameters() if p.dim() == 2]
    assert widths == [(128, 784), (128, 128)]
    shapes = [tuple(p.shape) for p in build_encoder("cnn", 28).parameters() if p.dim() > 1]
    assert shapes == [(16, 1, 3, 3), (32, 16, 3, 3), (128, 1568)]
    table = table_mlp(4)
    assert [tuple(p.shape) for p in table.parameters() if p.dim() > 1] == [(10, 4), (6, 10)]
    assert isinstance(table[1], torch.nn.Tanh)
