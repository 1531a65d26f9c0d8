"""Errors that are the user's to solve."""

from __future__ import annotations

from pydantic import ValidationError

EXIT_USER_ERROR = 2


class UserError(Exception):
    """Says in one sentence what is wrong and what would be right.

    The command line prints it and exits with code 2, the app shows it as a notice.
    """


def from_validation(error: ValidationError) -> UserError:
    """The first complaint of a settings check, in the user's terms."""
    first = error.errors()[0]
    if not first["loc"]:  # settings that do not go together name themselves
        return UserError(f"{first['msg'].removeprefix('Value error, ')}.")
    name = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return UserError(f"{name}: {message[0].lower()}{message[1:]}, but it was {first['input']!r}.")
