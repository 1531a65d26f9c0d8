"""Errors that are the user's to solve."""

from __future__ import annotations

import unicodedata

from pydantic import ValidationError

EXIT_USER_ERROR = 2
LONGEST_QUOTE = 80  # characters of what somebody gave, in a sentence about it
UNFIT = {"Cc", "Cs", "Zl", "Zp"}  # Unicode categories: control characters, what stands for bytes that are not UTF-8, line ends


class UserError(Exception):
    """Says in one sentence what is wrong and what would be right.

    The command line prints it and exits with code 2, the app shows it as a notice.
    """


def readable(text: str) -> str:
    """Replace what cannot be printed or kept as JSON, such as control characters and bytes that are not UTF-8, with U+FFFD."""
    if text.isprintable():
        return text
    return "".join("\ufffd" if unicodedata.category(character) in UNFIT else character for character in text)


def quoted(given: object) -> str:
    """What somebody gave, fit to be repeated in a sentence: on one line, and of a long text the middle left out."""
    text, half = str(given), LONGEST_QUOTE // 2
    if len(text) > 4 * LONGEST_QUOTE:  # a text of megabytes is not looked through
        text = text[: 2 * LONGEST_QUOTE] + text[-2 * LONGEST_QUOTE :]
    line = readable(" ".join(text.split()))
    return line if len(line) <= LONGEST_QUOTE else f"{line[:half]}…{line[1 - half :]}"


def from_validation(error: ValidationError) -> UserError:
    """The first complaint of a settings check, in the user's terms."""
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:  # settings that do not go together name themselves
        return UserError(f"{message}.")
    name = quoted(".".join(str(part) for part in first["loc"]))
    return UserError(f"{name}: {message[0].lower()}{message[1:]}, but it was {quoted(repr(first['input']))}.")
