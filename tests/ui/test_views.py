"""What is said about a view is what was done to it."""

from __future__ import annotations

import torch

from cl_core.augment.record import ViewRecord
from cl_core.augment.settings import AugmentConfig
from cl_core.augment.views import apply_record
from cl_core.ui.tabs.views import SHOWN_SIZE, describe, make_pair


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
