"""What a run will take and what is known to go wrong with it, before it starts."""

from __future__ import annotations

import html

from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.runs.config import RunConfig
from cl_core.system.device import choose_device
from cl_core.text import text
from cl_core.training.advice import warnings_for
from cl_core.training.estimate import estimate
from cl_core.training.setup import steps_per_epoch


def training_plan(config: RunConfig) -> str:
    """The estimated time and the warnings for a run, as HTML.

    Raises:
        UserError: there is no such data set, or not such an encoder at this size.
    """
    data = load_dataset(config.dataset)
    steps = max(1, steps_per_epoch(config, data)) * config.epochs
    parts = []
    seconds = _seconds_per_step(config)
    if seconds is not None:
        minutes = steps * seconds / 60
        shown = f"{minutes:.0f}" if minutes >= 9.5 else f"{minutes:.1f}"
        parts.append(f"<p>{html.escape(text('train.plan', steps=f'{steps:,}', minutes=shown))}</p>")
    warned = [html.escape(text(f"train.warn.{each.key}", **each.values)) for each in warnings_for(config, data)]
    if warned:
        parts.append(f"<ul><li>{'</li><li>'.join(warned)}</li></ul>")
    return f"<div class='training-plan' role='status'>{''.join(parts)}</div>"


def _seconds_per_step(config: RunConfig) -> float | None:
    """None on an accelerator, and where the encoder cannot be estimated."""
    if choose_device().type != "cpu":
        return None
    try:
        return estimate(config, load_dataset(config.dataset)).seconds_per_step
    except UserError:
        raise
    except (RuntimeError, AssertionError):
        return None
