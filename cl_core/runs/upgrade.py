"""Names that earlier versions used in `run.json` and for options, and what they are called now."""

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
# Dotted setting as it was -> as it is.
RENAMED_SETTINGS = {f"views.{old}": f"augment.{new}" for old, new in RENAMED_AUGMENT.items()} | {
    f"views.{name}": f"augment.{name}" for name in UNCHANGED_AUGMENT
}
RENAMED_METRICS = {
    "pictures": "images",
    "pictures_per_s": "images_per_s",
    "words": "sentence",
    "licence": "license",
}
RENAMED_PARTS = {"normalise": "normalize", "centre": "center"}  # of the dotted names of weights


def upgrade_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run by their present names."""
    new = dict(config)
    if "views" in new:
        new["augment"] = {RENAMED_AUGMENT.get(name, name): value for name, value in dict(new.pop("views")).items()}
    return new


def upgrade_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a `run.json` of format 1 holds, by the present names; others come back as they are."""
    if record.get("format") != 1:
        return dict(record)
    new = dict(record) | {"format": 2}
    if "figures" in new:
        new["metrics"] = upgrade_metrics(new.pop("figures"))
    if new.get("kind") == "pictures":
        new["kind"] = "images"
    if isinstance(new.get("config"), dict):
        new["config"] = upgrade_settings(new["config"])
    return new


def upgrade_metrics(metrics: Any) -> Any:
    """What was measured, at any depth, by the present names."""
    if not isinstance(metrics, dict):
        return metrics
    return {RENAMED_METRICS.get(name, name): upgrade_metrics(value) for name, value in metrics.items()}


def upgrade_weight_name(name: str) -> str:
    """The name of a tensor in a file of weights by the present names of the network's parts."""
    return ".".join(RENAMED_PARTS.get(part, part) for part in name.split("."))
