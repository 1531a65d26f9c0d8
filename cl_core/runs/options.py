"""Command-line options from settings."""

from __future__ import annotations

import argparse
import shlex
from typing import Any, NoReturn

from pydantic import BaseModel

from cl_core.errors import UserError, quoted
from cl_core.runs.fields import nested_model
from cl_core.runs.upgrade import RENAMED_SETTINGS


def add_settings(parser: argparse.ArgumentParser, model: type[BaseModel], several: bool = False, prefix: str = "") -> None:
    """Add an option for each field of the settings. Options that are not given are absent from the namespace.

    Args:
        several: let each option take several values.
        prefix: of nested settings, such as "augment.".
    """
    for name, field in model.model_fields.items():
        inner = nested_model(field)
        if inner:
            add_settings(parser, inner, several, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        default = f"{default:.4g}" if isinstance(default, float) else default
        arguments: dict[str, Any] = {"dest": prefix + name, "default": argparse.SUPPRESS, "nargs": "+" if several else None}
        description = f"{field.description} (default: {default})".replace("%", "%%")
        parser.add_argument(_option(prefix + name), metavar=name.upper(), help=description, **arguments)
        for old, new in RENAMED_SETTINGS.items():  # old names are accepted but not listed
            if new == prefix + name:
                parser.add_argument(_option(old), help=argparse.SUPPRESS, **arguments)


def _option(setting: str) -> str:
    return f"--{setting}".replace("_", "-")


def given_settings(namespace: argparse.Namespace, model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """The settings that were given, nested like the model."""
    given: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        inner = nested_model(field)
        if inner:
            nested = given_settings(namespace, inner, f"{prefix}{name}.")
            if nested:
                given[name] = nested
        elif hasattr(namespace, prefix + name):
            given[name] = getattr(namespace, prefix + name)
    return given


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError("runs.bad_option", message=quoted(f"{message[0].upper()}{message[1:]}"))


def read_settings(text: str, model: type[BaseModel]) -> dict[str, Any]:
    """Parse a line of options into settings, nested like the model.

    Raises:
        UserError: an option does not exist or lacks its value, or a quotation mark is not closed.
    """
    parser = _Parser(prog="", add_help=False, allow_abbrev=False)
    add_settings(parser, model)
    try:
        words = shlex.split(text)
    except ValueError:
        raise UserError("runs.open_quote") from None
    return given_settings(parser.parse_args(words), model)


def write_settings(settings: BaseModel) -> str:
    """Inverse of `read_settings`: the options that differ from the defaults."""
    return " ".join(f"--{name} {shlex.quote(value)}" for name, value in _changed(settings, type(settings)(), ""))


def _changed(settings: BaseModel, defaults: BaseModel, prefix: str) -> list[tuple[str, str]]:
    changed = []
    for name in type(settings).model_fields:
        value, default = getattr(settings, name), getattr(defaults, name)
        if isinstance(value, BaseModel):
            changed += _changed(value, default, f"{prefix}{name}.")
        elif value != default:
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            changed.append((f"{prefix}{name}".replace("_", "-"), shown))
    return changed
