"""Explanations of a cosine: exact sums, derivatives, and that they find what carries it."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from cl_core.augment.views import plain_views
from cl_core.data.registry import load_dataset
from cl_core.explore import why_similar
from cl_core.explore.why_similar import (
    CELLS,
    EXPLANATIONS,
    contribution_maps,
    cosine,
    curves,
    feature_parts,
    gradient_map,
    occlusion_map,
    pairwise_split,
    rank_correlation,
    split_maps,
)
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.encoders.registry import build_encoder
from cl_core.runs.store import find_run, open_run


def encoder_of(name: str, size: int) -> Encoder:
    """With random weights and statistics of batches that are not those of a new network."""
    torch.manual_seed(0)
    encoder = build_encoder(name, size)
    encoder.train()
    with torch.no_grad():
        encoder(torch.rand(16, 3, size, size))
    return encoder.eval()


def views(size: int, count: int = 2) -> list[Tensor]:
    return list(torch.rand(count, 1, 3, size, size, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("small-resnet", 64),
        ("small-resnet", 28),
        ("cnn", 32),
        ("resnet18-32px", 32),
        ("resnet18", 64),
        ("small-vit", 32),
        ("timm/resnet18/64", 64),
    ],
)
def test_the_split_adds_up_to_the_cosine(name: str, size: int) -> None:
    encoder, (first, second) = encoder_of(name, size), views(size)
    parts = [feature_parts(encoder, each) for each in (first, second)]
    assert parts[0] is not None
    assert parts[1] is not None
    with torch.no_grad():
        assert torch.allclose(parts[0].vectors.sum(0), encoder(first)[0], atol=1e-4)
        expected = float(cosine(encoder, first, second))
    pairs = pairwise_split(parts[0], parts[1])
    assert pairs.shape == (parts[0].rows * parts[0].columns, parts[1].rows * parts[1].columns)
    assert float(pairs.sum()) == pytest.approx(expected, abs=1e-4)
    found = split_maps(encoder, first, second)
    assert found is not None
    assert [float(each.sum()) for each in found] == pytest.approx([expected] * 2, abs=1e-4)
    assert len(contribution_maps(encoder, first, second)) == len(EXPLANATIONS)


def test_the_parts_of_a_mean_over_positions_are_its_terms() -> None:
    encoder, (view, _) = encoder_of("resnet18", 64), views(64)
    last: list[Tensor] = []
    hook = encoder.backbone.layer4.register_forward_hook(lambda _module, _inputs, output: last.append(output))  # type: ignore[operator,union-attr]
    with torch.no_grad():
        encoder(view)
    hook.remove()
    parts = feature_parts(encoder, view)
    assert parts is not None
    assert torch.allclose(parts.vectors, last[0][0].flatten(1).T / last[0][0, 0].numel(), atol=1e-5)


def test_an_encoder_without_positions_has_no_split() -> None:
    encoder, (first, second) = encoder_of("mlp", 28), views(28)
    assert feature_parts(encoder, first) is None
    assert split_maps(encoder, first, second) is None
    assert set(contribution_maps(encoder, first, second)) == {"occlusion", "gradient"}


def test_a_map_with_channels_last_has_no_split() -> None:
    encoder, (first, _) = encoder_of("resnet18", 64), views(64)
    encoder.backbone.avgpool.input_fmt = "NHWC"  # type: ignore[union-attr]
    assert feature_parts(encoder, first) is None


def test_a_map_of_too_many_positions_is_not_split(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, (first, _) = encoder_of("small-resnet", 64), views(64)
    monkeypatch.setattr(why_similar, "MAX_POSITIONS", 63)
    assert feature_parts(encoder, first) is None
    monkeypatch.setattr(why_similar, "MAX_POSITIONS", 64)
    assert feature_parts(encoder, first) is not None


def test_the_border_that_an_encoder_crops_contributes_nothing() -> None:
    encoder, (first, second) = encoder_of("timm/resnet18/64", 64), views(128)
    found = split_maps(encoder, first, second)
    assert found is not None
    whole, inner = found[0], found[0][1:-1, 1:-1]
    assert whole.shape == (4, 4)  # 2 x 2 positions of 64 px, and 32 px on each side
    assert float(whole.sum()) == pytest.approx(float(inner.sum()), abs=1e-6)


def test_occlusion_covers_a_cell_and_half_of_its_neighbors() -> None:
    encoder, (first, second) = encoder_of("small-resnet", 64), views(64)
    found = occlusion_map(encoder, first, second)
    side = 64 // CELLS
    covered = first.clone()
    top, left = 2 * side - side // 2, 5 * side - side // 2
    covered[..., top : top + 2 * side, left : left + 2 * side] = encoder.normalize.mean
    with torch.no_grad():
        expected = cosine(encoder, first, second) - cosine(encoder, covered, second)
    assert float(found[2, 5]) == pytest.approx(float(expected), abs=1e-5)


def test_gradient_times_input_is_the_derivative_towards_the_mean_color() -> None:
    encoder, (first, second) = encoder_of("small-resnet", 32).double(), [each.double() for each in views(32)]
    mean, step = encoder.normalize.mean, 1e-5
    with torch.no_grad():
        above, below = (cosine(encoder, mean + (first - mean) * (1 + sign * step), second) for sign in (1, -1))
    slope = float(above - below) / (2 * step)
    assert float(gradient_map(encoder, first, second).sum()) == pytest.approx(slope, rel=1e-4)


def test_curves_lead_from_the_whole_view_to_none_and_back() -> None:
    encoder, (first, second) = encoder_of("small-resnet", 32), views(32)
    found = curves(encoder, first, second, torch.rand(CELLS, CELLS))
    with torch.no_grad():
        whole = float(cosine(encoder, first, second))
        none = float(cosine(encoder, encoder.normalize.mean.expand_as(first), second))
    for falling in (found.deletion, found.random_deletion):
        assert [float(falling[0]), float(falling[-1])] == pytest.approx([whole, none], abs=1e-4)
    for rising in (found.insertion, found.random_insertion):
        assert [float(rising[0]), float(rising[-1])] == pytest.approx([none, whole], abs=1e-4)


def test_the_most_important_patches_go_first() -> None:
    """A network that looks at the brightness of one corner alone."""

    class Corner(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            corner = images[..., :8, :8].mean((1, 2, 3))
            return torch.stack([corner, torch.ones_like(corner)], 1)

    encoder = Encoder(Corner(), 2, ((0.0,) * 3, (1.0,) * 3))
    first = torch.ones(1, 3, 32, 32)
    importance = occlusion_map(encoder, first, first)
    assert int(importance.argmax()) == 0
    found = curves(encoder, first, first, importance)
    assert float(found.deletion[1]) < float(found.random_deletion[1])
    assert float(found.insertion[1]) > float(found.random_insertion[1])
    assert found.gain > 0.05


def test_agreement_is_spearmans() -> None:
    first, second = torch.rand(2, CELLS, CELLS, generator=torch.Generator().manual_seed(0))
    assert rank_correlation(first, second) == pytest.approx(float(spearmanr(first.flatten(), second.flatten()).statistic))
    rounded = (3 * first).round()  # ties
    assert rank_correlation(rounded, second) == pytest.approx(float(spearmanr(rounded.flatten(), second.flatten()).statistic))
    assert rank_correlation(torch.zeros_like(first), second) == 0


def test_a_trained_network_is_explained_and_an_untrained_one_otherwise() -> None:
    """Explanations beat a random order on the nearest neighbors of a shipped run, and change with its weights."""
    run = open_run(find_run("emoji-simclr"))
    untrained = encoder_of("small-resnet", run.size)
    data = load_dataset("emoji")
    pairs = [
        ("cat face", "dog face"),
        ("red apple", "green apple"),
        ("sunflower", "blossom"),
        ("guitar", "violin"),
        ("bus", "trolleybus"),
    ]
    gains: dict[str, list[float]] = {method: [] for method in EXPLANATIONS}
    same: dict[str, list[float]] = {method: [] for method in EXPLANATIONS}
    for names in pairs:
        first, second = (plain_views(data.images[data.names.index(name)][None], run.size) for name in names)
        here, other = contribution_maps(run.method.encoder, first, second), contribution_maps(untrained, first, second)
        for method in EXPLANATIONS:
            gains[method].append(curves(run.method.encoder, first, second, here[method][0]).gain)
            same[method].append(rank_correlation(here[method][0], other[method][0]))
    for method in ("split", "occlusion"):
        assert sum(gains[method]) / len(pairs) > 0.02, gains
    for method in EXPLANATIONS:
        assert sum(same[method]) / len(pairs) < 0.6, same
