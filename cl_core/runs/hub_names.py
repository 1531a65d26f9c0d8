"""Names of Hub repositories: OWNER/NAME or OWNER/NAME@REVISION."""

from __future__ import annotations

import dataclasses
import re

from cl_core.errors import UserError, quoted

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?!.*\.\.)(?P<repository>{_PART}/{_PART})(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9._/-]{{0,127}}))?")
NEWEST = "main"


@dataclasses.dataclass(frozen=True)
class HubName:
    """A repository and a revision.

    Attributes:
        repository: OWNER/NAME.
        revision: a branch, a tag, or a commit hash of 40 digits.
    """

    repository: str
    revision: str = NEWEST

    def __str__(self) -> str:
        return self.repository if self.revision == NEWEST else f"{self.repository}@{self.revision}"


def is_hub_name(text: str) -> bool:
    """Whether `text` has the format of a repository name."""
    return _NAME.fullmatch(text) is not None


def hub_name(text: str) -> HubName:
    """Parse OWNER/NAME[@REVISION].

    Raises:
        UserError: `text` has another format.
    """
    match = _NAME.fullmatch(text)
    if not match:
        raise UserError("runs.hub_name", given=quoted(text))
    return HubName(match["repository"], match["revision"] or NEWEST)
