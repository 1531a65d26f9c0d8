"""Warnings before a run starts."""

from __future__ import annotations

from typing import Any

import pytest

from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.runs.config import RunConfig
from cl_core.runs.store import shipped_runs
from cl_core.text import LANGUAGES, text, using_language
from cl_core.training.advice import warnings_for
from cl_core.ui.training_plan import minutes_of, training_plan


def keys(**settings: Any) -> list[str]:
    config = RunConfig.model_validate({"dataset": "emoji", "epochs": 40} | settings)
    return [each.key for each in warnings_for(config, load_dataset(config.dataset))]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, []),
        ({"method": "simsiam", "stop_gradient": False}, ["stop_gradient"]),
        ({"method": "simsiam", "predictor": False}, ["predictor"]),
        ({"method": "simsiam", "stop_gradient": False, "projection_last_norm": True}, []),
        ({"temperature": 0.01}, ["cold"]),
        ({"temperature": 10}, ["hot"]),
        ({"method": "simsiam", "temperature": 0.01}, []),
        ({"lr": 0.5}, ["rate"]),
        ({"lr": 0.5, "optimizer": "sgd"}, []),
        ({"batch_size": 32}, ["batch"]),
        ({"method": "moco", "batch_size": 32, "batch_norm_splits": 8}, ["splits"]),
        ({"method": "moco", "queue_size": 4096, "batch_size": 128}, ["queue"]),
        ({"method": "moco", "key_momentum": 0.999, "batch_size": 256}, ["momentum"]),
        ({"method": "moco", "key_momentum": 1.0, "batch_size": 128}, []),
        ({"augment": {"crop_scale_min": 1.0}}, ["crop"]),
        ({"epochs": 2}, ["short"]),
    ],
)
def test_what_is_known_to_go_wrong(settings: dict[str, Any], expected: list[str]) -> None:
    assert keys(**settings) == expected


def test_runs_that_ship_are_warned_of_what_they_show() -> None:
    """The ablations fail on purpose; the others learned."""
    warned = {}
    for folder in shipped_runs():
        config = folder.read_record().config
        if config.dataset == "emoji" and config.method != "pretrained":
            warned[folder.name] = [each.key for each in warnings_for(config, load_dataset("emoji"))]
    failing = {
        "emoji-simsiam-no-stop-gradient": ["stop_gradient"],
        "emoji-simsiam-no-predictor": ["predictor"],
        "emoji-simclr-cold": ["cold"],
        "emoji-simclr-hot": ["hot"],
        "emoji-simclr-no-crop": ["crop"],
    }
    for name, expected in failing.items():
        assert warned.pop(name) == expected, name
    assert not any(warned.values()), warned


def test_every_warning_has_a_sentence_in_each_language() -> None:
    values = {"least": 1, "most": 2, "optimizer": "x", "batch": 3, "negatives": 4, "queue": "5", "count": "6"}
    values |= {"momentum": 0.9, "steps": "7", "images": 8}
    names = ("stop_gradient", "predictor", "cold", "hot", "rate", "batch", "queue", "momentum", "splits", "crop", "short")
    for language in LANGUAGES:
        with using_language(language):
            assert len({text(f"train.warn.{name}", **values) for name in names}) == len(names)


def test_the_plan_of_a_run() -> None:
    config = RunConfig(dataset="digits", epochs=2, batch_size=32)
    plan = training_plan(config, minutes_of(config))
    assert "88 steps" in plan and "min on this machine" in plan
    assert plan.count("<li>") == 2 and "only 62 negatives" in plan
    assert "<li>" not in training_plan(RunConfig(dataset="digits", epochs=40, batch_size=128), None)
    with pytest.raises(UserError):
        training_plan(RunConfig(dataset="nowhere"), None)
