"""Content of `run.json`: settings, state, versions and final metrics of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import from_json

from cl_core.errors import UserError, from_validation, quoted
from cl_core.runs.config import RunConfig, RunState
from cl_core.runs.fields import nested_model
from cl_core.runs.metrics import check_metrics
from cl_core.runs.upgrade import upgrade_record
from cl_core.system.files import read_bytes

FORMAT = 2
MAX_RECORD = 10_000_000  # bytes

Kind = Literal["images", "words"]


class Record(BaseModel):
    """Fields common to all runs; subclasses add `config`."""

    model_config = ConfigDict(extra="forbid")

    format: int = Field(FORMAT, ge=FORMAT, le=FORMAT)
    state: RunState = "running"
    step: int = Field(0, ge=0)
    total_steps: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0)
    device: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)

    @field_validator("metrics")
    @classmethod
    def _check_metrics(cls, metrics: dict[str, Any]) -> dict[str, Any]:
        return check_metrics(metrics)


class RunRecord(Record):
    """Content of `run.json` of a run on images."""

    kind: Literal["images"] = "images"
    config: RunConfig
    image_size: int = Field(ge=1, le=512)
    instances: int = Field(0, ge=0, lt=2**31)
    classes: int = Field(0, ge=0, lt=2**31)


R = TypeVar("R", bound=Record)


def read_record(model: type[R], file: Path) -> R:
    """Read a record of the current format or an earlier one.

    Every field has to be there: a setting that is missing is not replaced by its default, with which the run was perhaps
    not trained.

    Raises:
        UserError: the file is damaged, incomplete, too large, or not a regular file.
    """
    content = read_bytes(file, MAX_RECORD)
    try:
        values = from_json(content)
        values = upgrade_record(values) if isinstance(values, dict) else values
        missing = _missing_field(model, values)
        if missing and values.get("format", FORMAT) == FORMAT:  # another format is refused below
            raise UserError("runs.missing_field", name=missing)
        return model.model_validate(values)
    except ValidationError as error:
        reason: object = from_validation(error)
    except UserError as error:
        reason = error
    except ValueError as error:  # not JSON
        reason = quoted(error)
    raise UserError("runs.damaged_record", file=file, reason=reason)


def _missing_field(model: type[BaseModel], values: Any, prefix: str = "") -> str | None:
    """Dotted name of the first field of `model`, or of a model in it, that the dict `values` lacks."""
    if not isinstance(values, dict):
        return None
    for name, field in model.model_fields.items():
        if name not in values:
            return prefix + name
        inner = nested_model(field)
        if inner:
            missing = _missing_field(inner, values[name], f"{prefix}{name}.")
            if missing:
                return missing
    return None


def kind_of(file: Path) -> Kind | None:
    """Whether a run is on images or on words; None if its `run.json` cannot be read."""
    try:
        return "words" if from_json(read_bytes(file, MAX_RECORD)).get("kind") == "words" else "images"
    except (ValueError, OSError, AttributeError, UserError):
        return None
