"""Types of what a run records: the metrics of `run.json` and the points of `metrics.jsonl`.

Further values may stand beside those listed; these are the ones that the program reads.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cl_core.errors import quoted, refused

Number = int | float | None


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Accuracy(_Open):
    """A kNN result; `evaluation.knn.KnnResult` has its other values."""

    accuracy: float = Field(ge=0, le=1)


class Verdict(_Open):
    """A verdict on a run; see `training.health`."""

    verdict: str


class Metrics(_Open):
    """Final metrics of a run, or of a snapshot."""

    knn: Accuracy | None = None
    pixels: Accuracy | None = None
    geometry: dict[str, Number] | None = None
    health: Verdict | None = None
    log_z: dict[str, Any] | None = None
    protocol: str = ""
    geometry_protocol: str = ""
    source: dict[str, Any] | None = None


class Point(Metrics):
    """A point of the learning curves."""

    step: int
    epoch: float = 0.0
    loss: Number = None
    chance: Number = None
    lr: Number = None


def check_metrics(metrics: dict[str, Any]) -> dict[str, Any]:
    """`metrics`, unchanged.

    Raises:
        PydanticCustomError: a value is of another type than `Metrics` has; see `errors.from_validation`.
    """
    try:
        Metrics.model_validate(metrics)
    except ValidationError as error:
        name = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise refused("runs.odd_metrics", name=quoted(name)) from None
    return metrics


def is_point(point: Any) -> bool:
    """Whether a value is a point of the learning curves."""
    try:
        Point.model_validate(point)
    except ValidationError:
        return False
    return True
