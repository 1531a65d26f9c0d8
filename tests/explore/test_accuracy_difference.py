"""The difference of two runs, against a simulation."""

from __future__ import annotations

import pytest
import torch

from cl_core.explore.accuracy_difference import difference, differing_settings
from cl_core.runs.config import RunConfig


def test_the_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    """The answers of both runs depend on the query: hard ones are hard for both."""
    generator = torch.Generator().manual_seed(0)
    held, widths = 0, []
    for _ in range(500):
        ease = torch.rand(400, generator=generator) * 0.8
        first = torch.rand(400, generator=generator) < ease
        second = torch.rand(400, generator=generator) < ease + 0.1
        found = difference(first, second)
        held += abs(found.gap - 0.1) <= found.error
        widths.append(found.error)
    assert 0.92 < held / 500 < 0.98


def test_equal_answers_have_no_difference() -> None:
    answers = torch.tensor([True, False, True, True])
    assert difference(answers, answers).gap == difference(answers, answers).error == 0
    assert not difference(answers, answers).certain
    assert difference(torch.zeros(50, dtype=torch.bool), torch.ones(50, dtype=torch.bool)).gap == pytest.approx(1)


def test_settings_that_differ() -> None:
    first = RunConfig(dataset="emoji", method="simclr", seed=1)
    second = RunConfig.model_validate(first.model_dump() | {"temperature": 0.5, "seed": 2})
    assert differing_settings(first, second) == {"temperature": (first.temperature, 0.5)}
    changed = first.model_dump()
    changed["augment"]["flip_prob"] = 0.1
    assert list(differing_settings(first, RunConfig.model_validate(changed))) == ["augment.flip_prob"]
    assert differing_settings(first, first) == {}
