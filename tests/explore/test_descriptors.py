"""Content boxes, test-time augmentations, whitening."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from cl_core.explore.descriptors import SearchWhitening, TTAView, augmented, content_boxes


def square_on(background: int, top: int, left: int, side: int) -> torch.Tensor:
    image = torch.full((1, 3, 64, 64), background, dtype=torch.uint8)
    image[:, 0, top : top + side, left : left + side] = 128
    return image


def test_content_box() -> None:
    box, background = content_boxes(square_on(255, 10, 20, 30))
    assert box.tolist() == [[10, 20, 30, 30]]
    assert background.tolist() == [[255, 255, 255]]


def test_content_box_of_wide_content_is_square() -> None:
    image = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    image[:, :, 30:34, 4:60] = 200
    assert content_boxes(image)[0].tolist() == [[4, 4, 56, 56]]


def test_without_a_plain_background_the_box_is_the_whole_image() -> None:
    noise = torch.randint(0, 255, (3, 3, 64, 64), dtype=torch.uint8)
    noise[:, :, 0, 0], noise[:, :, -1, -1] = 0, 255
    assert content_boxes(noise)[0].tolist() == [[0, 0, 64, 64]] * 3
    assert torch.allclose(augmented(noise, 64, [TTAView()])[0], noise.float() / 255, atol=1e-5)


def test_the_box_of_a_blank_image_is_the_whole_image() -> None:
    blank = torch.full((1, 3, 64, 64), 255, dtype=torch.uint8)
    assert content_boxes(blank)[0].tolist() == [[0, 0, 64, 64]]
    assert augmented(blank, 64).min() == 1


def test_margins_are_cropped() -> None:
    small, large = square_on(255, 3, 5, 24), square_on(255, 8, 8, 48)
    assert (augmented(small, 64) - augmented(large, 64)).abs().mean() < 0.01


def test_beyond_the_border_there_is_background() -> None:
    view = augmented(square_on(255, 0, 8, 40), 64, [TTAView(zoom=1.5)])[0, 0]
    assert view[:, 2, 2].tolist() == [1, 1, 1]
    assert view[0, 32, 32].item() < 0.6


def test_mirrored_view() -> None:
    image = square_on(255, 0, 0, 64)
    image[:, 1, :, :20] = 7
    plain, mirrored = augmented(image, 64, [TTAView(), TTAView(mirrored=True)])
    assert torch.allclose(mirrored, plain.flip(3), atol=1e-5)
    assert not torch.allclose(mirrored, plain, atol=0.1)


def test_rotation_is_clockwise_around_the_center() -> None:
    image = torch.full((1, 3, 65, 65), 255, dtype=torch.uint8)
    image[:, :, 8:57, 8:57] = 200
    image[:, :, 8:20, 28:37] = 0  # a mark at the top
    rotated = augmented(image, 65, [TTAView(degrees=90)])[0, 0, 0]
    assert rotated[32, 60] < 0.1 and rotated[4, 32] > 0.7  # now at the right
    ninety = augmented(image, 65, [TTAView()])[0, 0, 0].rot90(-1)
    assert torch.allclose(rotated, ninety, atol=1e-3)


def test_features_that_were_whitened_are_centered_alone() -> None:
    features = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) + 5
    expected = F.normalize(features - features.mean(0), dim=1)
    assert torch.allclose(SearchWhitening.center(features)(features), expected, atol=1e-6)


def test_whitening_evens_out_variances() -> None:
    torch.manual_seed(0)
    features = torch.randn(2000, 3) * torch.tensor([10.0, 1.0, 0.1]) + 5
    whitening = SearchWhitening.fit(features)
    moved = (features - whitening.mean) @ whitening.matrix
    assert moved.mean(0).abs().max() < 1e-4
    spread = moved.std(0)
    assert spread.max() / spread.min() < 100 / 1.5  # 100 before; the weakest direction stays shrunk
    assert torch.allclose(whitening(features).norm(dim=1), torch.ones(2000), atol=1e-5)
