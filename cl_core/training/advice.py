"""Settings of a run that are known to fail or to waste it, recognized before it starts."""

from __future__ import annotations

import dataclasses
from typing import Any

from cl_core.data.dataset import Dataset
from cl_core.networks.methods import METHODS
from cl_core.runs.config import RunConfig
from cl_core.training.setup import data_shape, steps_per_epoch

MIN_BATCH = 64  # images: SimCLR's negatives are the rest of the batch
MIN_TEMPERATURE = 0.02  # below, nearly all weight is on the hardest negative (Wang and Liu 2021)
MAX_TEMPERATURE = 2.0  # above, all negatives weigh alike
MIN_STEPS = 200
HIGH_RATES = {"adamw": 0.02, "adam": 0.02, "sgd": 2.0, "lars": 20.0, "muon": 0.05}
LAGS = 3  # a key encoder follows after 1 / (1 - momentum) steps; fewer than three times as many leave it behind
MIN_SPLIT = 8  # images that are normalized together


@dataclasses.dataclass(frozen=True)
class SettingWarning:
    """Something known about these settings. key: of its sentence in the locale files, below `train.warn`."""

    key: str
    values: dict[str, Any] = dataclasses.field(default_factory=dict)


def warnings_for(config: RunConfig, dataset: Dataset) -> list[SettingWarning]:
    """What is known to go wrong with these settings, most serious first."""
    found: list[SettingWarning] = []
    count = data_shape(config, dataset).instances
    batch = min(config.batch_size, count)
    steps, views = steps_per_epoch(config, dataset) * config.epochs, METHODS[config.method].view_count(config)
    if config.method == "simsiam" and not config.projection_last_norm:
        if not config.stop_gradient:
            found.append(SettingWarning("stop_gradient"))
        if not config.predictor:
            found.append(SettingWarning("predictor"))
    if METHODS[config.method].has_temperature:
        if config.temperature < MIN_TEMPERATURE:
            found.append(SettingWarning("cold", {"least": MIN_TEMPERATURE}))
        elif config.temperature > MAX_TEMPERATURE:
            found.append(SettingWarning("hot", {"most": MAX_TEMPERATURE}))
    if config.lr > HIGH_RATES[config.optimizer]:
        found.append(SettingWarning("rate", {"most": HIGH_RATES[config.optimizer], "optimizer": config.optimizer}))
    if config.method in ("simclr", "supcon", "hcl") and batch < MIN_BATCH:
        found.append(SettingWarning("batch", {"batch": batch, "negatives": views * (batch - 1), "least": MIN_BATCH}))
    if config.method in ("moco", "byol") and config.key_momentum < 1 and steps < LAGS / (1 - config.key_momentum):
        found.append(SettingWarning("momentum", {"momentum": config.key_momentum, "steps": f"{steps:,}"}))
    if config.method == "moco":
        if config.queue_size > count:
            found.append(SettingWarning("queue", {"queue": f"{config.queue_size:,}", "count": f"{count:,}"}))
        if batch // config.batch_norm_splits < MIN_SPLIT:
            found.append(SettingWarning("splits", {"images": batch // config.batch_norm_splits}))
    if config.augment.crop_scale_min == 1.0:
        found.append(SettingWarning("crop"))
    if steps < MIN_STEPS:
        found.append(SettingWarning("short", {"steps": f"{steps:,}", "least": MIN_STEPS}))
    return found
