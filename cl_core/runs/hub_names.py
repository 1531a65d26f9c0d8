"""What a repository of the Hub is called here: OWNER/NAME or OWNER/NAME@REVISION."""

from __future__ import annotations

import dataclasses
import re

from cl_core.errors import UserError, quoted

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?!.*\.\.)(?P<repository>{_PART}/{_PART})(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9._/-]{{0,127}}))?")
NEWEST = "main"


@dataclasses.dataclass(frozen=True)
class HubName:
    """repository: OWNER/NAME; revision: a branch, a tag, or a commit's 40 digits."""

    repository: str
    revision: str = NEWEST

    def __str__(self) -> str:
        return self.repository if self.revision == NEWEST else f"{self.repository}@{self.revision}"


def is_hub_name(text: str) -> bool:
    """Whether `text` could be the name of a repository."""
    return _NAME.fullmatch(text) is not None


def hub_name(text: str) -> HubName:
    """
    Raises:
        UserError: `text` is no OWNER/NAME[@REVISION].
    """
    found = _NAME.fullmatch(text)
    if not found:
        raise UserError(
            f"{quoted(text)!r} is not the name of a repository: give OWNER/NAME, or OWNER/NAME@REVISION with a branch, tag or "
            "commit."
        )
    return HubName(found["repository"], found["revision"] or NEWEST)
