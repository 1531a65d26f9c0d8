"""What settings look like in a form: kind, default, bounds and choices, from the pydantic model that describes them."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Kind = Literal["flag", "whole", "number", "choice", "text"]


@dataclasses.dataclass(frozen=True)
class SettingField:
    """One setting.

    name: nested ones with a dot, such as "augment.hue". low, high: bounds; None where there are none. above, below: whether a
    bound itself is excluded. choices: of a "choice".
    """

    name: str
    kind: Kind
    default: str
    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False
    choices: tuple[str, ...] = ()


def nested_model(field: FieldInfo) -> type[BaseModel] | None:
    """The settings that a field consists of; None for a single setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def setting_fields(model: type[BaseModel], prefix: str = "") -> list[SettingField]:
    """The settings of a model in their order, nested ones with the name of their field before theirs."""
    found = []
    for name, field in model.model_fields.items():
        inner = nested_model(field)
        if inner:
            found += setting_fields(inner, f"{prefix}{name}.")
        else:
            found.append(_field(prefix + name, field))
    return found


def _field(name: str, field: FieldInfo) -> SettingField:
    bounds: dict[str, Any] = {}
    for each in field.metadata:
        for end, attributes in (("low", ("ge", "gt")), ("high", ("le", "lt"))):
            for attribute in attributes:
                value = getattr(each, attribute, None)
                if value is not None:
                    bounds[end] = float(value)
                    if attribute in ("gt", "lt"):
                        bounds["above" if end == "low" else "below"] = True
    kind = field.annotation
    default = as_option(field.get_default(call_default_factory=True))
    if get_origin(kind) is Literal:
        return SettingField(name, "choice", default, choices=tuple(map(str, get_args(kind))))
    kinds: dict[Any, Kind] = {bool: "flag", int: "whole", float: "number"}
    return SettingField(name, kinds.get(kind, "text"), default, **bounds)


def as_option(value: Any) -> str:
    """A value as the command line takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)
