"""What is said about a view is what was done to it."""

from __future__ import annotations

import pytest
import torch

from cl_core.augment.record import ViewRecord
from cl_core.augment.settings import AugmentConfig
from cl_core.augment.styles import StyleRecord, sample_styles
from cl_core.augment.views import apply_record
from cl_core.ui.tabs.views import SHOWN_SIZE, describe, describe_style, make_pair, style_settings


def record(**changes: object) -> ViewRecord:
    values = {
        "box": torch.tensor([[0, 0, 64, 64]]),
        "flipped": torch.tensor([False]),
        "factors": torch.tensor([[1.0, 1.0, 1.0, 0.0]]),
        "order": torch.tensor([[3, 0, 2, 1]]),
        "gray": torch.tensor([False]),
        "sigma": torch.tensor([0.0]),
    }
    return ViewRecord(**(values | changes))  # type: ignore[arg-type]


def test_nothing_done_but_the_crop() -> None:
    assert describe(record(), 0, 64, 64) == ["cropped to 100% of the image (width / height 1.00)"]


def test_every_step_in_the_order_it_was_done() -> None:
    done = record(
        box=torch.tensor([[8, 4, 16, 32]]),
        flipped=torch.tensor([True]),
        factors=torch.tensor([[0.8, 1.25, 1.5, 0.1]]),
        gray=torch.tensor([True]),
        sigma=torch.tensor([1.25]),
    )
    assert describe(done, 0, 64, 64) == [
        "cropped to 12% of the image (width / height 2.00)",
        "mirrored left to right",
        "hue turned by +36°",
        "brightness × 0.80",
        "saturation × 1.50",
        "contrast × 1.25",
        "all color removed",
        "blurred (σ = 1.2 px)",
    ]


def test_styles_are_described_in_their_order() -> None:
    style = StyleRecord(
        shading=torch.tensor([[0.2, 0.0], [0.0, 0.0]]),
        palette=torch.tensor([3, 0]),
        levels=torch.tensor([4.0, 0.0]),
        lines=torch.tensor([3.0, 3.0]),
        colored=torch.tensor([False, True]),
        thickness=torch.tensor([1, -1]),
    )
    assert describe_style(style, 0) == [
        "shaded from one side to the other",
        "color channels exchanged",
        "filled with few flat colors (4 values per channel)",
        "turned into a line drawing",
        "dark parts grown by a pixel",
    ]
    assert describe_style(style, 1) == ["outlined in black", "dark parts shrunk by a pixel"]
    assert describe(record(style=style[:1]), 0, 64, 64)[1:] == describe_style(style, 0)


def test_the_chance_of_a_style() -> None:
    styles = sample_styles(4000, AugmentConfig.model_validate(style_settings(0.3)), torch.Generator().manual_seed(0))
    assert styles is not None
    described = [describe_style(styles, row) for row in range(4000)]
    for first in ("shaded", "color", "filled", ("turned", "outlined"), "dark"):
        share = sum(any(line.startswith(first) for line in lines) for lines in described) / 4000
        assert share == pytest.approx(0.3, abs=0.03), first
    assert sample_styles(2, AugmentConfig.model_validate(style_settings(0)), torch.Generator()) is None


def test_the_same_seed_draws_the_same_pair() -> None:
    image = torch.randint(0, 255, (1, 3, 48, 64), dtype=torch.uint8)
    first, again = (make_pair(image, "noise", AugmentConfig(), 7) for _ in range(2))
    assert first == again
    assert make_pair(image, "noise", AugmentConfig(), 8) != first
    for view in first["views"]:
        left, top, width, height = view["box"]
        assert 0 <= left <= left + width <= 100.001
        assert 0 <= top <= top + height <= 100.001


def test_the_view_shown_is_the_view_described() -> None:
    image = torch.randint(0, 255, (1, 3, 64, 64), dtype=torch.uint8)
    whole = apply_record(image, record(), 64)
    assert torch.allclose(whole, image.float() / 255, atol=1e-6)
    assert apply_record(image, record(), SHOWN_SIZE).shape == (1, 3, SHOWN_SIZE, SHOWN_SIZE)
