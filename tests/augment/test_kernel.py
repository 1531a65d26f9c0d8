"""The compiled kernel against the torch operations, which are tested against torchvision."""

from __future__ import annotations

import pytest
import torch

from cl_core.augment import ops, views
from cl_core.augment.ops import blur_kernel_size
from cl_core.augment.record import sample_record
from cl_core.augment.settings import AugmentConfig
from cl_core.augment.views import COMPILED_FROM, apply_record, apply_with_torch

EVERYTHING = AugmentConfig(crop_scale_min=0.05, color_jitter_prob=1, grayscale_prob=0.3, blur_prob=1)


@pytest.mark.parametrize(
    ("height", "width", "size"), [(32, 32, 32), (32, 32, 48), (64, 64, 20), (28, 28, 28), (40, 56, 32), (8, 8, 64), (90, 90, 9)]
)
@pytest.mark.parametrize(
    "config",
    [
        AugmentConfig(),
        EVERYTHING,
        AugmentConfig(crop_scale_min=1, color_jitter_prob=0, blur_prob=0, grayscale_prob=0, flip_prob=0),
    ],
)
def test_kernel_equals_torch_operations(height: int, width: int, size: int, config: AugmentConfig) -> None:
    generator = torch.Generator().manual_seed(height + size)
    images = torch.randint(0, 256, (COMPILED_FROM + 5, 3, height, width), generator=generator, dtype=torch.uint8)
    images[0] = 0
    images[1] = 255
    images[2] = images[2, :1]  # gray: undefined hue
    record = sample_record(len(images), height, width, config, generator)
    made = apply_record(images, record, size)
    assert made.is_contiguous(memory_format=torch.channels_last)
    assert made.shape == (len(images), 3, size, size)
    torch.testing.assert_close(made, apply_with_torch(images, record, size), rtol=0, atol=5e-6)


def test_results_do_not_depend_on_threads() -> None:
    images = torch.randint(0, 256, (101, 3, 32, 32), dtype=torch.uint8)
    record = sample_record(101, 32, 32, EVERYTHING, torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    try:
        made = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            made.append(apply_record(images, record, 32))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(made[0], made[1])
    assert torch.equal(made[0], made[2])


def test_non_contiguous_images() -> None:
    """Slices and permuted images."""
    images = torch.randint(0, 256, (80, 32, 32, 3), dtype=torch.uint8).permute(0, 3, 1, 2)[::2]
    record = sample_record(40, 32, 32, EVERYTHING, torch.Generator().manual_seed(0))
    expected = apply_with_torch(images.contiguous(), record, 32)
    torch.testing.assert_close(apply_record(images, record, 32), expected, rtol=0, atol=5e-6)


def test_small_batches_do_not_use_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    original = views.apply_with_torch
    monkeypatch.setattr(views, "apply_with_torch", lambda p, r, s: calls.append(len(p)) or original(p, r, s))
    for count in (COMPILED_FROM - 1, COMPILED_FROM):
        images = torch.zeros(count, 3, 8, 8, dtype=torch.uint8)
        apply_record(images, sample_record(count, 8, 8, AugmentConfig(), torch.Generator()), 8)
    assert calls == [COMPILED_FROM - 1]


def test_computing_all_rows_gives_equal_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPUs compute all rows and select afterwards, to avoid synchronization."""
    images = torch.randint(0, 256, (40, 3, 32, 32), dtype=torch.uint8)
    record = sample_record(40, 32, 32, AugmentConfig(), torch.Generator().manual_seed(0))
    expected = apply_with_torch(images, record, 32)
    monkeypatch.setattr(ops, "indexes_rows", lambda device: False)
    made = apply_with_torch(images, record, 32)
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-6)
    assert blur_kernel_size(32) == 3
