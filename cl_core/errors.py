"""Errors that the user can correct."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from cl_core.text import text

EXIT_USER_ERROR = 2
MAX_QUOTE = 80  # characters of the user's input that a message quotes
MAX_VALUE = 2_000
UNFIT = {"Cc", "Cs", "Zl", "Zp"}  # Unicode categories replaced in messages: control characters, surrogates, line ends


# Error types of pydantic with a message in the locale files; others keep pydantic's English message.
SENTENCES = {
    f"settings.{kind}"
    for kind in (
        *("greater_than", "greater_than_equal", "less_than", "less_than_equal", "literal_error"),
        *("int_parsing", "int_from_float", "float_parsing", "bool_parsing"),
    )
}


class UserError(Exception):
    """One sentence for a person: what is wrong and what would be right.

    The command line prints it in English and exits with code 2; the app shows it as a notice in the page's language.

    Args:
        key: of the sentence in the locale files of `cl_core.text`.
        values: what its {placeholders} stand for; another `UserError` among them becomes its own sentence. What a
            person gave is passed through `quoted`.
    """

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key, values)
        self.key, self.values = key, values

    def __str__(self) -> str:
        return text(self.key, **{name: _shortened(value) for name, value in self.values.items()})

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.key, self.values)


def _rebuilt(kind: type[UserError], key: str, values: dict[str, object]) -> UserError:
    return kind(key, **values)


def error_to_json(error: UserError) -> dict[str, Any]:
    """Key and values of an error, so that the page can print it in its language."""
    values = {name: error_to_json(value) if isinstance(value, UserError) else value for name, value in error.values.items()}
    return {"key": error.key, "values": values}


def error_from_json(content: dict[str, Any]) -> UserError:
    """The inverse of `error_to_json`."""
    values = {name: error_from_json(value) if isinstance(value, dict) else value for name, value in content["values"].items()}
    return UserError(content["key"], **values)


def refused(key: str, **values: object) -> PydanticCustomError:
    """What a check of a setting raises: its sentence is made by `from_validation`."""
    return PydanticCustomError(key, text(key, **values).replace("{", "{{"), values)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the CPU, for which torch has no class, or on an accelerator."""
    known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return known or any(part in str(error) for part in ("DefaultCPUAllocator", "out of memory"))


def readable(text: str) -> str:
    """Replace what cannot be printed or kept as JSON, such as control characters and bytes that are not UTF-8, with U+FFFD."""
    if text.isprintable():
        return text
    return "".join("\ufffd" if unicodedata.category(character) in UNFIT else character for character in text)


def quoted(given: object) -> str:
    """What somebody gave, fit to be repeated in a sentence: on one line, and of a long text the middle left out."""
    text, half = str(given), MAX_QUOTE // 2
    if len(text) > 4 * MAX_QUOTE:  # a text of megabytes is not looked through
        text = text[: 2 * MAX_QUOTE] + text[-2 * MAX_QUOTE :]
    line = readable(" ".join(text.split()))
    return line if len(line) <= MAX_QUOTE else f"{line[:half]}…{line[1 - half :]}"


def from_validation(error: ValidationError) -> UserError:
    """The first complaint of a settings check, as a sentence."""
    first = error.errors()[0]
    kind = first["type"]
    values = {name: _plain(value) for name, value in first.get("ctx", {}).items()}
    if "." in kind:  # a check of ours: its type is the key of its sentence
        complaint = UserError(kind, **values)
    elif f"settings.{kind}" in SENTENCES:
        complaint = UserError(f"settings.{kind}", **values)
    else:
        complaint = UserError("settings.other", message=f"{first['msg'][0].lower()}{first['msg'][1:]}")
    if not first["loc"]:  # settings that do not go together name themselves
        return complaint
    name = quoted(".".join(str(part) for part in first["loc"]))
    if kind in ("extra_forbidden", "missing"):  # there is no value to quote
        return UserError(f"settings.{kind}", name=name)
    return UserError("settings.refused", name=name, complaint=complaint, given=quoted(repr(first["input"])))


def _shortened(value: object) -> object:
    """A value of a sentence; a text that is longer than any list of choices is somebody's input, and quoted."""
    return quoted(value) if isinstance(value, str | Path) and len(str(value)) > MAX_VALUE else value


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
