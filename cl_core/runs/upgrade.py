"""Conversion of `run.json`, metrics and weights of earlier versions to the current names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED_AUGMENT = {
    "flip": "flip_prob",
    "jitter": "color_jitter_prob",
    "grey": "grayscale_prob",
    "blur": "blur_prob",
}
UNCHANGED_AUGMENT = (
    *("crop_scale_min", "crop_scale_max", "crop_aspect", "brightness", "contrast", "saturation", "hue"),
    *("blur_sigma_min", "blur_sigma_max"),
)
# Dotted name of a setting: old -> new.
RENAMED_SETTINGS = {f"views.{old}": f"augment.{new}" for old, new in RENAMED_AUGMENT.items()} | {
    f"views.{name}": f"augment.{name}" for name in UNCHANGED_AUGMENT
}
RENAMED_METRICS = {
    "pictures": "images",
    "pictures_per_s": "images_per_s",
    "words": "sentence",
    "licence": "license",
}
# Sentences that `rule` of a kNN result held before it was a code.
RENAMED_RULES = {
    "test part against train part": "test-train",
    "one picture a group, leave one out": "leave-one-out",
    "one picture a group, those whose labels no training saw against the others": "held-out",
    "one image a group, leave one out": "leave-one-out",
    "one image a group, those whose labels no training saw against the others": "held-out",
}
# Settings of runs on images that came after format 2, by dotted name in `config`: the value by which earlier runs were trained.
ADDED_SETTINGS: dict[str, Any] = {
    "drawings": "none",
    "train_size": 0,
    "views": 2,
    "small_views": 0,
    "small_size": 0,
    "small_crop_scale": 0.25,
    "learn_temperature": False,
    "decoupled_sigma": 0.0,
    "hardness": 0.5,
    "negative_prior": 0.01,
    "redundancy_weight": 0.005,
    "invariance_weight": 25.0,
    "variance_weight": 25.0,
    "covariance_weight": 1.0,
    "whitening": 0.0,
    "augment.shading": 0.4,
    "augment.shading_prob": 0.0,
    "augment.palette_prob": 0.0,
    "augment.flat_prob": 0.0,
    "augment.line_prob": 0.0,
    "augment.thickness_prob": 0.0,
}
RENAMED_PARTS = {"normalise": "normalize", "centre": "center"}  # parts of the dotted names of weights


def upgrade_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run with current names."""
    new = dict(config)
    if isinstance(new.get("views"), Mapping):
        new["augment"] = {RENAMED_AUGMENT.get(name, name): value for name, value in dict(new.pop("views")).items()}
    return new


def upgrade_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Content of a `run.json` of an earlier version with current names and settings.

    A setting that the version did not have yet gets the value that training had without it (`ADDED_SETTINGS`).
    """
    if record.get("format") != 1:
        return _with_added(dict(record))
    new = dict(record) | {"format": 2}
    if "figures" in new:
        new["metrics"] = upgrade_metrics(new.pop("figures"))
    if new.get("kind") == "pictures":
        new["kind"] = "images"
    if isinstance(new.get("config"), dict):
        new["config"] = upgrade_settings(new["config"])
    return _with_added(new)


def _with_added(record: dict[str, Any]) -> dict[str, Any]:
    if record.get("kind", "images") != "images":
        return record
    for name, value in ADDED_SETTINGS.items():
        *path, last = name.split(".")
        inner = record.get("config")
        for part in path:
            inner = inner.get(part) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner.setdefault(last, value)
    return record


def upgrade_metrics(metrics: Any) -> Any:
    """Metrics with current names, at any depth."""
    if not isinstance(metrics, dict):
        return metrics
    new = {RENAMED_METRICS.get(name, name): upgrade_metrics(value) for name, value in metrics.items()}
    if isinstance(new.get("rule"), str):
        new["rule"] = RENAMED_RULES.get(new["rule"], new["rule"])
    return new


def upgrade_weight_name(name: str) -> str:
    """Current name of a tensor in a file of weights."""
    return ".".join(RENAMED_PARTS.get(part, part) for part in name.split("."))
