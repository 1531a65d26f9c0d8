"""The settings as options."""

from __future__ import annotations

import argparse
import shlex
from types import UnionType
from typing import Any, NoReturn

from pydantic import BaseModel

from cl_core.errors import UserError
from cl_core.runs.upgrade import RENAMED_SETTINGS


def add_settings(parser: argparse.ArgumentParser, model: type[BaseModel], several: bool = False, prefix: str = "") -> None:
    """One option a field of the settings, taking one value or `several`; options not given stay out of the namespace."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            add_settings(parser, kind, several, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        default = f"{default:.4g}" if isinstance(default, float) else default
        taken: dict[str, Any] = {"dest": prefix + name, "default": argparse.SUPPRESS, "nargs": "+" if several else None}
        description = f"{field.description} (default: {default})".replace("%", "%%")
        parser.add_argument(_option(prefix + name), metavar=name.upper(), help=description, **taken)
        for old, new in RENAMED_SETTINGS.items():  # earlier spellings still work; the help names only the present one
            if new == prefix + name:
                parser.add_argument(_option(old), help=argparse.SUPPRESS, **taken)


def _option(setting: str) -> str:
    return f"--{setting}".replace("_", "-")


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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message[0].upper()}{message[1:]}: give settings as on the command line, such as --weight-decay 0.001.")


def read_settings(text: str, model: type[BaseModel]) -> dict[str, Any]:
    """The settings in a line of options, nested as the model is.

    Raises:
        UserError: an option that is none, or without its value.
    """
    parser = _Parser(prog="", add_help=False, allow_abbrev=False)
    add_settings(parser, model)
    try:
        words = shlex.split(text)
    except ValueError:
        raise UserError("A quotation mark is not closed: close it.") from None
    return given_settings(parser.parse_args(words), model)


def write_settings(settings: BaseModel) -> str:
    """The inverse of `read_settings`: the options that make `settings` of the defaults."""
    return " ".join(f"--{name} {shlex.quote(value)}" for name, value in _changed(settings, type(settings)(), ""))


def _changed(settings: BaseModel, usual: BaseModel, prefix: str) -> list[tuple[str, str]]:
    found = []
    for name in type(settings).model_fields:
        value, default = getattr(settings, name), getattr(usual, name)
        if isinstance(value, BaseModel):
            found += _changed(value, default, f"{prefix}{name}.")
        elif value != default:
            said = str(value).lower() if isinstance(value, bool) else str(value)
            found.append((f"{prefix}{name}".replace("_", "-"), said))
    return found
