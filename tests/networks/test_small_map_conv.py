"""Convolution of small maps as a matrix product against `nn.Conv2d`."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from cl_core.networks.encoders.registry import build_encoder
from cl_core.networks.encoders.small_map_conv import MAX_MAP, Conv2d, with_small_map_conv

CASES = [  # kernel, stride, padding, height, width, bias
    (3, 1, 1, 1, 1, False),
    (3, 1, 1, 2, 2, False),
    (3, 2, 1, 2, 2, True),
    (1, 2, 0, 2, 2, False),
    (1, 1, 0, 1, 1, True),
    (3, 1, 1, 1, 3, True),
    (5, 1, 2, 2, 2, False),
    (3, 2, 1, 1, 1, False),
    (3, 1, 1, 4, 1, False),
    (2, 2, 0, 2, 2, False),
]


@pytest.mark.parametrize(("kernel", "stride", "padding", "height", "width", "bias"), CASES)
def test_equals_torch(kernel: int, stride: int, padding: int, height: int, width: int, bias: bool) -> None:
    torch.manual_seed(0)
    reference = nn.Conv2d(8, 16, kernel, stride, padding, bias=bias).double()
    replaced = with_small_map_conv(copy.deepcopy(reference))
    assert type(replaced) is Conv2d
    x = torch.randn(4, 8, height, width, dtype=torch.float64)
    results = []
    for layer in (reference, replaced):
        leaf = x.clone().requires_grad_()
        out = layer(leaf)
        out.backward(torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out))
        results.append([out, leaf.grad, *(p.grad for p in layer.parameters())])
    for expected, got in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


def test_autocast_gives_bfloat16_and_float32_gradients() -> None:
    layer = Conv2d(8, 16, 3, padding=1)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(torch.randn(4, 8, 2, 2))
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == torch.float32


def test_other_convolutions_use_the_general_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Conv2d, "_product", lambda *_: pytest.fail("the matrix product was used"))
    large = torch.randn(2, 8, 3, 3)
    assert large.shape[2] * large.shape[3] > MAX_MAP
    small = torch.randn(2, 8, 2, 2)
    Conv2d(8, 8, 3, padding=1)(large)
    Conv2d(8, 8, 3, padding=1, groups=8)(small)
    Conv2d(8, 8, 3, padding=2, dilation=2)(small)
    Conv2d(8, 8, 3, padding="same")(small)
    Conv2d(8, 8, 3, padding=1, padding_mode="circular")(small)


def test_resnet_keeps_its_weights_and_results() -> None:
    """resnet18 at 32 px ends in maps of 2 x 2 and 1 x 1."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    encoder = build_encoder("resnet18", 32).eval()
    reference = resnet18(weights=None)
    reference.fc = nn.Identity()  # type: ignore[assignment]
    reference.load_state_dict(encoder.backbone.state_dict())
    assert sum(type(m) is Conv2d for m in encoder.modules()) == 20
    views = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        expected = reference.eval()(encoder.normalize(views))
        torch.testing.assert_close(encoder(views), expected, rtol=1e-4, atol=1e-4)


def test_replacement_shares_parameters_and_draws_nothing() -> None:
    from torchvision.models import resnet18

    network = resnet18(weights=None).eval()
    names, state = [name for name, _ in network.named_modules()], network.state_dict()
    parameters, generator = list(network.parameters()), torch.get_rng_state()
    assert with_small_map_conv(network) is network
    assert torch.equal(torch.get_rng_state(), generator)
    assert [name for name, _ in network.named_modules()] == names
    assert list(network.state_dict()) == list(state)
    assert all(new is old for new, old in zip(network.parameters(), parameters, strict=True))
    assert not any(type(module) is nn.Conv2d or module.training for module in network.modules())
