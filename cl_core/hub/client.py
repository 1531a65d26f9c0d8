"""One way to the Hub for all that talks to it; what goes wrong there becomes a sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

import huggingface_hub
from httpx2 import HTTPError
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from cl_core.errors import UserError
from cl_core.system.host import on_space

LOG_IN = "log in with `hf auth login`, or put a token into the environment variable HF_TOKEN"


def token() -> Literal[False] | None:
    """For the client's calls: None lets it find the token itself, in HF_TOKEN or where `hf auth login` put it; kept nowhere.

    On a Space False, none at all: the token there is its owner's, and who asks is a visitor.
    """
    return False if on_space() else None


def api() -> HfApi:
    """A client with `token`."""
    return HfApi(library_name="contrastive-explorer", token=token())


def need_token(repository: str) -> None:
    """
    Raises:
        UserError: there is no token to publish `repository` with, or this is a Space.
    """
    if on_space():
        raise UserError("A Space publishes nothing, for its token is its owner's: open the app on your own machine for that.")
    if huggingface_hub.get_token() is None:
        raise UserError(f"There is no token to publish {repository} with: {LOG_IN}, one that may write.")


class Unreachable(UserError):
    """The Hub did not answer."""


@contextlib.contextmanager
def in_words(repository: str) -> Iterator[None]:
    """Turn the client's errors about `repository` into `UserError`s."""
    try:
        yield
    except GatedRepoError:
        raise UserError(f"{repository} asks people to agree to its terms: do so on its page, then {LOG_IN}.") from None
    except RevisionNotFoundError:
        raise UserError(f"{repository} has no such revision: choose a branch, tag or commit that it has.") from None
    except RepositoryNotFoundError:
        raise UserError(f"There is no {repository} on the Hub, or it is private: check the name, or {LOG_IN}.") from None
    except HFValidationError as error:
        raise UserError(f"{repository!r} cannot be the name of a repository: {error}") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            raise UserError(f"The Hub does not let you write to {repository}: {LOG_IN}, one that may write there.") from None
        raise Unreachable(f"The Hub answered {status} for {repository}: try again in a while.") from None
    except OfflineModeIsEnabled:
        raise Unreachable(
            f"HF_HUB_OFFLINE is set, so {repository} was not asked for: unset it, or use what was pulled."
        ) from None
    except (HTTPError, ConnectionError, TimeoutError) as error:
        raise Unreachable(
            f"The Hub could not be reached, or the connection broke ({type(error).__name__}): "
            "the same command goes on from what has arrived."
        ) from None
