"""Errors that are the user's to solve."""

from __future__ import annotations

from pydantic import ValidationError

EXIT_USER_ERROR = 2
LONGEST_QUOTE = 80  # characters of what somebody gave, in a sentence about it


class UserError(Exception):
    """Says in one sentence what is wrong and what would be right.

    The command line prints it and exits with code 2, the app shows it as a notice.
    """


def shortened(given: object) -> str:
    """What somebody gave, on one line and short enough to be quoted."""
    line = " ".join(str(given)[: 4 * LONGEST_QUOTE].split())
    return line if len(line) <= LONGEST_QUOTE else line[: LONGEST_QUOTE - 1] + "…"


def from_validation(error: ValidationError) -> UserError:
    """The first complaint of a settings check, in the user's terms."""
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:  # settings that do not go together name themselves
        return UserError(f"{message}.")
    name = shortened(".".join(str(part) for part in first["loc"]))
    return UserError(f"{name}: {message[0].lower()}{message[1:]}, but it was {shortened(repr(first['input']))}.")
