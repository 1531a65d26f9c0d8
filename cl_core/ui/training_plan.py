"""What a run will take and what is known to go wrong with it, before it starts."""

from __future__ import annotations

import html

from cl_core.data.registry import load_dataset
from cl_core.runs.config import RunConfig
from cl_core.system.device import choose_device
from cl_core.text import text
from cl_core.training.advice import warnings_for
from cl_core.training.comparison_state import ComparisonConfig, planned_trainings, run_config
from cl_core.training.estimate import estimate
from cl_core.training.setup import steps_per_epoch
from cl_core.ui.names import entry_name

MAX_EPOCHS = 100_000  # of `RunConfig`


def training_plan(config: RunConfig, minutes: float | None) -> str:
    """The estimated minutes and the warnings for a run, as HTML.

    Raises:
        UserError: there is no such data set, or not such an encoder at this size.
    """
    data = load_dataset(config.dataset)
    steps = max(1, steps_per_epoch(config, data)) * config.epochs
    parts = []
    if minutes is not None:
        shown = f"{minutes:g}"
        parts.append(f"<p>{html.escape(text('train.plan', steps=f'{steps:,}', minutes=shown))}</p>")
    warned = [html.escape(text(f"train.warn.{each.key}", **each.values)) for each in warnings_for(config, data)]
    if warned:
        parts.append(f"<ul><li>{'</li><li>'.join(warned)}</li></ul>")
    return f"<div class='training-plan' role='status'>{''.join(parts)}</div>"


def minutes_of(config: RunConfig) -> float | None:
    """The estimated minutes of a run, to one decimal below ten; None where they cannot be estimated."""
    seconds = _epoch_s(config)
    if seconds is None:
        return None
    minutes = config.epochs * seconds / 60
    return round(minutes) if minutes >= 9.5 else round(minutes, 1)


def in_minutes(config: RunConfig, minutes: float | None, planned: float | None) -> RunConfig:
    """The run with so many epochs as take about `minutes`; unchanged where these are the `planned` ones, or none."""
    if minutes is None or minutes <= 0 or minutes == planned:
        return config
    seconds = _epoch_s(config)
    if seconds is None:
        return config
    epochs = min(MAX_EPOCHS, max(1, round(60 * minutes / seconds)))
    return config.model_copy(update={"epochs": epochs})


def comparison_plan(config: ComparisonConfig) -> str:
    """What a comparison of methods will train, as one sentence; empty where that cannot be estimated.

    Raises:
        UserError: there is no such data set.
    """
    data, epoch_s = load_dataset(config.dataset), {}
    for method in config.methods:
        seconds = _epoch_s(run_config(config, method, 1, 0, data))
        if seconds is None:
            return ""
        epoch_s[method] = seconds
    parts = []
    for method, (epochs, seeds) in planned_trainings(config, epoch_s).items():
        name = entry_name(method)
        if seeds > 1:
            parts.append(text("comparison.planned_seeds", name=name, epochs=epochs, seeds=seeds))
        else:
            parts.append(text("comparison.planned_epochs", name=name, epochs=epochs))
    least = sum(epoch_s.values()) / 60
    over = " " + text("comparison.planned_over", least=f"{least:.0f}") if least > config.minutes else ""
    return text("comparison.planned", methods=text("comparison.planned_separator").join(parts)) + over


def _epoch_s(config: RunConfig) -> float | None:
    """Estimated seconds of an epoch; None where they cannot be estimated."""
    seconds = _seconds_per_step(config)
    return None if seconds is None else max(1, steps_per_epoch(config, load_dataset(config.dataset))) * seconds


def _seconds_per_step(config: RunConfig) -> float | None:
    """None on an accelerator, and where the encoder cannot be estimated."""
    if choose_device().type != "cpu":
        return None
    try:
        return estimate(config, load_dataset(config.dataset)).seconds_per_step
    except (RuntimeError, AssertionError):
        return None
