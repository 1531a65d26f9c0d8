"""Access to the Hub: the client, its token, and its errors as `UserError`."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import Literal

import huggingface_hub
from httpx2 import HTTPError
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from cl_core.errors import UserError, quoted
from cl_core.system.host import on_space
from cl_core.system.paths import cache_dir


def token() -> Literal[False] | None:
    """The `token` argument of the client's functions.

    None: the client reads HF_TOKEN or the file that `hf auth login` wrote. On a Space False: no token, since the Space's
    token belongs to its owner and requests come from visitors.
    """
    return False if on_space() else None


def api() -> HfApi:
    """A client that uses `token`."""
    return HfApi(library_name="contrastive-explorer", token=token())


def require_token(repository: str) -> None:
    """Check that there is a token to publish `repository` with.

    Raises:
        UserError: there is none, or this is a Space.
    """
    if on_space():
        raise UserError("hub.space_publishes_nothing")
    if huggingface_hub.get_token() is None:
        raise UserError("hub.no_token", repository=repository)


class Unreachable(UserError):
    """The Hub did not answer."""


@contextlib.contextmanager
def hub_errors(repository: str) -> Iterator[None]:
    """Turn the client's errors about `repository` into `UserError`."""
    try:
        yield
    except GatedRepoError:
        raise UserError("hub.gated", repository=repository) from None
    except RevisionNotFoundError:
        raise UserError("hub.no_revision", repository=repository) from None
    except RepositoryNotFoundError:
        raise UserError("hub.no_repository", repository=repository) from None
    except HFValidationError as error:
        raise UserError("hub.invalid_name", repository=quoted(repository), reason=quoted(error)) from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            raise UserError("hub.no_access", repository=repository) from None
        raise Unreachable("hub.status", status=status, repository=repository) from None
    except OfflineModeIsEnabled:
        raise Unreachable("hub.offline", repository=repository) from None
    except (HTTPError, ConnectionError, TimeoutError, LocalEntryNotFoundError) as error:
        raise Unreachable("hub.no_connection", reason=type(error.__cause__ or error).__name__) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        raise UserError("system.not_written", path=cache_dir(), reason=error.strerror) from None
