"""Each augmentation against torchvision, and views against their records."""

from __future__ import annotations

import pytest
import torch
import torchvision.transforms.v2.functional as TF
from torch import Tensor
from torchvision.transforms import RandomResizedCrop

from cl_core.augment import ops, views
from cl_core.augment import record as record_module
from cl_core.augment.record import ViewRecord
from cl_core.augment.settings import AugmentConfig


@pytest.fixture
def images() -> Tensor:
    """Eight smooth images with all hues, 40 x 48, uint8."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(8, 3, 5, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(40, 48), mode="bicubic").clamp(0, 1)
    return (smooth * 255).round().byte()


def floats(images: Tensor) -> Tensor:
    return images.float() / 255


BOXES = [
    (0, 0, 40, 48),
    (3, 7, 20, 25),
    (10, 0, 30, 9),
    (39, 47, 1, 1),
    (0, 0, 40, 40),
    (5, 5, 32, 32),
    (1, 2, 33, 31),
    (8, 8, 2, 30),
]


@pytest.mark.parametrize("size", [16, 32, 64])
def test_crop_and_resize_equals_torchvision(images: Tensor, size: int) -> None:
    box = torch.tensor(BOXES)
    flipped = torch.tensor([False, True] * 4)
    ours = ops.crop_and_resize(floats(images), box, flipped, size)
    for i, (top, left, h, w) in enumerate(BOXES):
        theirs = TF.resized_crop(floats(images[i]), top, left, h, w, [size, size], antialias=True)
        if flipped[i]:
            theirs = TF.horizontal_flip(theirs)
        assert torch.allclose(ours[i], theirs, atol=2e-5), (i, (ours[i] - theirs).abs().max())


OPERATIONS = [TF.adjust_brightness, TF.adjust_contrast, TF.adjust_saturation, TF.adjust_hue]


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("amount", [-0.5, -0.13, 0.0, 0.07, 0.4, 1.0])
def test_color_jitter_equals_torchvision(images: Tensor, kind: int, amount: float) -> None:
    value = amount / 2 if kind == ops.HUE else 1 + amount
    factors = torch.tensor([[1.0, 1.0, 1.0, 0.0]]).repeat(8, 1)
    factors[:, kind] = value
    ours = ops.jitter_colors(floats(images), factors, torch.arange(4).repeat(8, 1))
    theirs = OPERATIONS[kind](floats(images), value)
    assert torch.allclose(ours, theirs, atol=1e-4), (ours - theirs).abs().max()


def test_color_jitter_follows_the_order_of_each_image(images: Tensor) -> None:
    generator = torch.Generator().manual_seed(3)
    record = record_module.sample_record(8, 40, 48, AugmentConfig(color_jitter_prob=1.0, hue=0.3), generator)
    assert len({tuple(order) for order in record.order.tolist()}) > 3
    ours = ops.jitter_colors(floats(images), record.factors, record.order)
    for i in range(8):
        theirs = floats(images[i])
        for kind in record.order[i].tolist():
            theirs = OPERATIONS[kind](theirs, float(record.factors[i, kind]))
        assert torch.allclose(ours[i], theirs, atol=2e-4), (ours[i] - theirs).abs().max()


def test_grayscale_equals_torchvision(images: Tensor) -> None:
    theirs = TF.rgb_to_grayscale(floats(images), num_output_channels=1)
    assert torch.allclose(ops.to_gray(floats(images)), theirs, atol=1e-3)


@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
@pytest.mark.parametrize("size", [28, 32, 64])
def test_blur_equals_torchvision(images: Tensor, sigma: float, size: int) -> None:
    square = TF.resize(floats(images), [size, size], antialias=True)
    kernel = ops.blur_kernel_size(size)
    theirs = TF.gaussian_blur(square, [kernel, kernel], [sigma, sigma])
    assert torch.allclose(ops.gaussian_blur(square, torch.full((8,), sigma)), theirs, atol=1e-5)


@pytest.mark.parametrize(("size", "kernel"), [(28, 3), (32, 3), (64, 7), (224, 23)])
def test_blur_kernel_size(size: int, kernel: int) -> None:
    assert ops.blur_kernel_size(size) == kernel


def test_view_follows_its_record(images: Tensor) -> None:
    config = AugmentConfig(grayscale_prob=0.5, blur_prob=0.5)
    ours, record = views.make_views(images, config, 32, torch.Generator().manual_seed(1))
    assert record.gray.any()
    assert (record.sigma > 0).any()
    for i in range(8):
        top, left, h, w = record.box[i].tolist()
        theirs = TF.resized_crop(floats(images[i]), top, left, h, w, [32, 32], antialias=True).clamp(0, 1)
        if record.flipped[i]:
            theirs = TF.horizontal_flip(theirs)
        for kind in record.order[i].tolist():
            theirs = OPERATIONS[kind](theirs, float(record.factors[i, kind]))
        if record.gray[i]:
            theirs = TF.rgb_to_grayscale(theirs, num_output_channels=3)
        if record.sigma[i] > 0:
            theirs = TF.gaussian_blur(theirs, [3, 3], [float(record.sigma[i])] * 2)
        assert torch.allclose(ours[i], theirs, atol=1e-3), (i, (ours[i] - theirs).abs().max())


def test_identity_settings(images: Tensor) -> None:
    config = AugmentConfig(crop_scale_min=1, crop_aspect=1, flip_prob=0, color_jitter_prob=0, grayscale_prob=0, blur_prob=0)
    square = images[:, :, :, :40].contiguous()
    made, record = views.make_views(square, config, 40, torch.Generator().manual_seed(0))
    assert torch.allclose(made, floats(square), atol=1e-6)
    assert torch.equal(record.box, torch.tensor([[0, 0, 40, 40]]).repeat(8, 1))


def test_crop_distribution_equals_torchvision() -> None:
    """Means of position and size over many samples, for a wide image where fallbacks occur."""
    height, width, count = 40, 120, 4000
    config = AugmentConfig(crop_scale_min=0.2)
    ours = record_module.sample_crops(count, height, width, config, torch.Generator().manual_seed(0)).double()
    torch.manual_seed(0)
    blank = torch.zeros(3, height, width)
    theirs = torch.tensor([RandomResizedCrop.get_params(blank, [0.2, 1.0], [3 / 4, 4 / 3]) for _ in range(count)]).double()
    assert ours.min() >= 0
    assert ((ours[:, 0] + ours[:, 2]) <= height).all()
    assert ((ours[:, 1] + ours[:, 3]) <= width).all()
    spread = theirs.std(0) / count**0.5
    assert ((ours.mean(0) - theirs.mean(0)).abs() < 5 * spread + 0.02).all()


def test_views_do_not_depend_on_the_chunk_size(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = views.make_views(images, AugmentConfig(), 32, torch.Generator().manual_seed(5))
    monkeypatch.setattr(views, "CPU_CHUNK", 3)
    second, _ = views.make_views(images, AugmentConfig(), 32, torch.Generator().manual_seed(5))
    assert torch.allclose(first, second, atol=1e-6)


def test_record_indexing() -> None:
    record = record_module.sample_record(6, 32, 32, AugmentConfig(), torch.Generator().manual_seed(0))
    part = record[2:4]
    assert isinstance(part, ViewRecord)
    assert len(part) == 2
    assert torch.equal(part.box, record.box[2:4])
    assert torch.equal(part.sigma, record.sigma[2:4])
