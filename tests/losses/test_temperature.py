"""Effects of the temperature against their formulas."""

from __future__ import annotations

import math

import pytest
import torch

from cl_core.losses import temperature
from cl_core.losses.anatomy import nt_xent_anatomy
from tests.losses.test_anatomy import TEMPERATURES, embeddings, pairs_of


@pytest.mark.parametrize("t", TEMPERATURES)
def test_softmax_weights_are_the_relative_penalties(t: float) -> None:
    z = embeddings(2, 6, 8)
    parts = nt_xent_anatomy(*z, t)
    weights = temperature.negative_weights(parts)
    for row in range(12):
        negatives = [k for k in range(12) if k not in (row, (row + 6) % 12)]
        powers = torch.tensor([float(parts.cosines[row, k]) / t for k in negatives], dtype=torch.float64).softmax(0)
        assert torch.allclose(weights[row, negatives], powers, atol=1e-7)
        entropy = -sum(float(p) * math.log(float(p)) for p in powers if p > 0)
        assert float(temperature.effective_negatives(parts)[row]) == pytest.approx(math.exp(entropy), rel=1e-6)
        assert float(temperature.hardest_contribution(parts)[row]) == pytest.approx(float(powers.max()), rel=1e-6)
        pull = (1 - float(parts.probabilities[row, (row + 6) % 12])) / t
        assert float(temperature.positive_pull(parts)[row]) == pytest.approx(pull, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("t", TEMPERATURES)
def test_bounds_for_every_loss(t: float) -> None:
    for parts, _ in pairs_of(t).values():
        negatives = parts.negative.sum(1)
        effective = temperature.effective_negatives(parts)[negatives > 0]
        assert bool((effective >= 1 - 1e-9).all())
        assert bool((effective <= negatives[negatives > 0] + 1e-6).all())
        assert bool((temperature.positive_pull(parts) >= -1e-12).all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_naive_exponential_overflows_below_the_temperature(dtype: torch.dtype) -> None:
    parts = nt_xent_anatomy(*embeddings(2, 6, 8), 1.0)
    t = temperature.overflow_temperature(parts, dtype)
    largest = parts.cosines[parts.positive | parts.negative].max().double()
    assert torch.isinf((largest / (0.999 * t)).exp().to(dtype))
    assert torch.isfinite((largest / (1.001 * t)).exp().to(dtype))
