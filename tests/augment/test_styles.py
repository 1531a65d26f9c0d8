"""Styles against naive loops and torchvision; settings without them change nothing."""

from __future__ import annotations

import pytest
import torch
import torchvision.transforms.v2.functional as TF
from torch import Tensor

from cl_core.augment import styles
from cl_core.augment.ops import to_gray
from cl_core.augment.record import sample_record
from cl_core.augment.settings import AugmentConfig
from cl_core.augment.views import COMPILED_FROM, apply_record, apply_with_torch, make_views

ALL = AugmentConfig(shading_prob=0.4, palette_prob=0.4, flat_prob=0.4, line_prob=0.4, thickness_prob=0.4)


@pytest.fixture
def views() -> Tensor:
    return torch.rand(6, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def neighbors(view: Tensor, y: int, x: int) -> Tensor:
    """The pixel and its neighbors within the view, (3, n)."""
    return view[:, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].flatten(1)


def test_shading_is_a_plane(views: Tensor) -> None:
    half = views / 2
    made = styles.shade(half, torch.tensor([[0.5, 0.0], [0.0, -0.5]] * 3))
    assert torch.allclose(made[0] / half[0], (1 + 0.5 * (2 * torch.arange(12) + 1 - 12) / 12).expand(3, 12, 12), atol=1e-5)
    assert torch.allclose((made[1] / half[1])[:, 0], torch.full((3, 12), 1 + 0.5 * 11 / 12), atol=1e-5)
    assert float(styles.shade(torch.ones(1, 3, 4, 4), torch.tensor([[1.0, 1.0]])).max()) == 1


def test_channels_are_exchanged(views: Tensor) -> None:
    made = styles.exchange_colors(views, torch.arange(6))
    for i, order in enumerate(styles.PALETTES):
        assert torch.equal(made[i], views[i, list(order)])


def test_flat_fill_leaves_few_values(views: Tensor) -> None:
    made = styles.fill_flat(views, torch.tensor([2.0, 3, 4, 2, 3, 4]))
    for i, levels in enumerate((2, 3, 4, 2, 3, 4)):
        assert made[i].unique().tolist() == pytest.approx([step / (levels - 1) for step in range(levels)], abs=1e-6)
        assert (made[i] - views[i]).abs().max() <= 0.5 / (levels - 1) + 1e-6


def test_two_values_are_torchvisions_posterize() -> None:
    image = torch.arange(256, dtype=torch.uint8).view(1, 16, 16).expand(3, 16, 16)
    ours = styles.fill_flat(image[None] / 255, torch.tensor([2.0]))[0]
    assert torch.equal(ours > 0.5, TF.posterize(image, 1) > 0)


def test_lines_are_where_neighbors_differ(views: Tensor) -> None:
    made = styles.draw_lines(views, torch.full((6,), 2.0), torch.tensor([False, False, False, False, True, True]))
    for i in range(6):
        for y, x in ((0, 0), (5, 7), (11, 3)):
            near = neighbors(views[i], y, x)
            gradient = float((near.amax(1) - near.amin(1)).max())
            filled = (styles.DARK - float(to_gray(views[i : i + 1])[0, 0, y, x])) * 8
            line = min(2 * gradient, 1.0)
            expected = [1 - max(line, min(max(filled, 0.0), 1.0))] * 3 if i < 4 else (views[i, :, y, x] * (1 - line)).tolist()
            assert made[i, :, y, x].tolist() == pytest.approx(expected, abs=1e-5)
    white = torch.ones(1, 3, 8, 8)
    for colored in (torch.tensor([False]), torch.tensor([True])):
        assert torch.equal(styles.draw_lines(white, torch.tensor([8.0]), colored), white)
        assert torch.equal(styles.draw_lines(0 * white, torch.tensor([2.0]), colored), 0 * white)


def test_dark_parts_grow_and_shrink(views: Tensor) -> None:
    made = styles.thicken(views, torch.tensor([1, -1] * 3))
    for y, x in ((0, 0), (5, 7), (11, 3)):
        assert torch.equal(made[0, :, y, x], neighbors(views[0], y, x).amin(1))
        assert torch.equal(made[1, :, y, x], neighbors(views[1], y, x).amax(1))


def test_each_view_follows_its_record() -> None:
    count = COMPILED_FROM + 8
    images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    made, record = make_views(images, ALL, 16, torch.Generator().manual_seed(2))
    style = record.style
    assert style is not None
    plain = apply_with_torch(images, record, 16)
    changed = 0
    for i in range(count):
        view = styles.shade(plain[i : i + 1], style.shading[i : i + 1])
        view = styles.exchange_colors(view, style.palette[i : i + 1])
        if style.levels[i] > 0:
            view = styles.fill_flat(view, style.levels[i : i + 1])
        if style.lines[i] > 0:
            view = styles.draw_lines(view, style.lines[i : i + 1], style.colored[i : i + 1])
        if style.thickness[i] != 0:
            view = styles.thicken(view, style.thickness[i : i + 1])
        # A value at the edge between two levels may be rounded either way.
        changed += int(((made[i] - view[0]).abs() > 1e-4).sum())
        assert set(style.as_dict(i)) == {"shading", "palette", "levels", "lines", "colored", "thickness"}
    assert changed <= made.numel() / 1000


def test_shares_are_the_settings() -> None:
    record = styles.sample_styles(20_000, ALL, torch.Generator().manual_seed(0))
    assert record is not None
    for chosen in (record.palette > 0, record.levels > 0, record.lines > 0, record.thickness != 0):
        assert float(chosen.float().mean()) == pytest.approx(0.4, abs=0.02)
    assert record.levels.unique().tolist() == [0, 2, 3, 4]
    assert record.palette.unique().tolist() == [0, 1, 2, 3, 4, 5]
    assert record.thickness.unique().tolist() == [-1, 0, 1]
    assert 0.39 < float(record.shading.abs().sum(1).max()) <= 0.4001
    assert float((record.shading != 0).any(1).float().mean()) == pytest.approx(0.4, abs=0.02)
    assert 2 <= float(record.lines[record.lines > 0].min()) <= float(record.lines.max()) <= 8


def test_without_styles_the_draws_are_those_of_before() -> None:
    draws = [sample_record(2, 32, 32, config, torch.Generator().manual_seed(3)) for config in (AugmentConfig(), ALL)]
    assert draws[0].style is None
    assert all(torch.equal(getattr(draws[0], name), getattr(draws[1], name)) for name in ("box", "factors", "sigma"))
    generator = torch.Generator().manual_seed(3)
    sample_record(2, 32, 32, AugmentConfig(), generator)
    before = torch.rand(1, generator=generator)
    assert styles.sample_styles(5, AugmentConfig(), generator) is None
    generator = torch.Generator().manual_seed(3)
    sample_record(2, 32, 32, AugmentConfig(), generator)
    assert torch.equal(before, torch.rand(1, generator=generator))


def test_a_part_of_a_record() -> None:
    record = sample_record(10, 32, 32, ALL, torch.Generator().manual_seed(0))
    images = torch.randint(0, 256, (10, 3, 32, 32), dtype=torch.uint8)
    whole, part = apply_record(images, record, 16), apply_record(images[3:5], record[3:5], 16)
    assert torch.allclose(whole[3:5], part, atol=1e-6)
