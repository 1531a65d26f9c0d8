"""The settings as options."""

from __future__ import annotations

import argparse
from types import UnionType
from typing import Any

from pydantic import BaseModel


def add_settings(parser: argparse.ArgumentParser, model: type[BaseModel], several: bool = False, prefix: str = "") -> None:
    """One option a field of the settings, taking one value or `several`; options not given stay out of the namespace."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            add_settings(parser, kind, several, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        default = f"{default:.4g}" if isinstance(default, float) else default
        parser.add_argument(
            f"--{prefix}{name}".replace("_", "-"),
            dest=prefix + name,
            default=argparse.SUPPRESS,
            metavar=name.upper(),
            nargs="+" if several else None,
            help=f"{field.description} (default: {default})".replace("%", "%%"),
        )


def given_settings(namespace: argparse.Namespace, model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """The settings that were given, nested as the model is."""
    given: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and not isinstance(kind, UnionType) and issubclass(kind, BaseModel):
            nested = given_settings(namespace, kind, f"{prefix}{name}.")
            if nested:
                given[name] = nested
        elif hasattr(namespace, prefix + name):
            given[name] = getattr(namespace, prefix + name)
    return given
