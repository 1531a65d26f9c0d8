"""Permissions: the options of the app, the identity of visitors, and the owners of runs.

A page gets a signed cookie when it opens. Every action that writes, trains, pulls or publishes is checked by `Access` first, so
a request from elsewhere is refused, whichever event it names.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from pydantic import BaseModel, ConfigDict, Field, field_validator

from cl_core.errors import UserError, refused
from cl_core.system.files import owner_of, write_private
from cl_core.system.host import on_space
from cl_core.system.paths import cache_dir

COOKIE = "contrastive-explorer-visitor"
UPLOAD_MB, STRANGERS_UPLOAD_MB, STRANGERS_IMAGES = 8_000, 500, 20_000
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
Action = Literal["train", "hub", "fetch", "import"]


class Options(BaseModel):
    """How others can use the app; each option of the command line has an environment variable too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 lets other machines in")
    auth: tuple[tuple[str, str], ...] = Field((), description="names and passwords; empty asks for none")
    read_only: bool = Field(False, description="nobody trains, pulls, publishes or fetches anything")
    shared: bool = Field(False, description="visitors trust each other: they share runs and use this machine's Hub token")
    hosts: tuple[str, ...] = Field((), description="further names this app is reached by, such as a proxy's")
    upload_mb: int = Field(0, ge=0, description="largest upload in MB; by default 500 for strangers, else 8,000")
    most_images: int = Field(
        0, ge=0, description="images of one import; by default 20,000 where strangers use the app, else no limit"
    )
    keep_hours: float = Field(24.0, gt=0, description="hours after which strangers' images are removed")

    @field_validator("auth", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        """NAME:PASSWORD, several separated by commas or as a list."""
        given = value.split(",") if isinstance(value, str) else value
        pairs = [each.partition(":")[::2] if isinstance(each, str) else each for each in given if each]
        if any(not all(pair) for pair in pairs):
            raise refused("settings.auth")
        return tuple(map(tuple, pairs))

    @field_validator("hosts", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        given = value.split(",") if isinstance(value, str) else value
        return tuple(name.strip().lower().rstrip(".") for name in given if name.strip())

    @property
    def local(self) -> bool:
        """Whether only programs of this machine can reach the app. A further host name means a proxy, so others can."""
        return is_loopback(self.host) and not self.hosts and not on_space()


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine itself."""
    if host in LOOPBACK_NAMES:
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return False


def is_address(host: str) -> bool:
    """Whether `host` is an IP address, not a name."""
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False


def secret_key() -> bytes:
    """The key that signs visitors' cookies, stored readable by this user only, so that visitors keep their runs after a restart.

    Without a writable cache it is new at each start.
    """
    file = cache_dir() / "visitors.key"
    with contextlib.suppress(OSError):
        key = file.read_bytes()
        if len(key) == 32:
            return key
    key = secrets.token_bytes(32)
    with contextlib.suppress(UserError):
        write_private(file, key)
    return key


class Access:
    """What visitors of this app may do."""

    def __init__(self, options: Options | None = None, key: bytes | None = None) -> None:
        self.options = options or Options()
        self._key = key or secret_key()
        self._names = self._allowed_names()

    def _allowed_names(self) -> frozenset[str]:
        names = {*LOOPBACK_NAMES, *self.options.hosts}
        if not is_address(self.options.host):
            names.add(self.options.host.lower())
        if not self.options.local:
            own = socket.gethostname().lower()
            names |= {own, f"{own}.local"}
        if on_space():
            names.add(os.environ.get("SPACE_HOST", "").lower())
        return frozenset(names - {""})

    @property
    def strangers(self) -> bool:
        """Whether visitors are separated: others can reach the app and `--shared` is not given."""
        return not self.options.local and not self.options.shared

    @property
    def hub(self) -> bool:
        """Whether visitors may pull and publish, which uses this machine's disk and token."""
        return not self.options.read_only and not self.strangers

    @property
    def training(self) -> bool:
        return not self.options.read_only

    @property
    def most_upload(self) -> int:
        """Bytes of an upload."""
        return 1_000_000 * (self.options.upload_mb or (STRANGERS_UPLOAD_MB if self.strangers else UPLOAD_MB))

    @property
    def most_images(self) -> int:
        """Images of one import; 0 for no limit."""
        return self.options.most_images or (STRANGERS_IMAGES if self.strangers else 0)

    def knows_host(self, host: str) -> bool:
        """Whether the app may be reached by the name or address `host` (without a port).

        An address is never the work of DNS rebinding, so where others may reach the app any address is fine.
        """
        host = host.lower().rstrip(".")
        if host in self._names:
            return True
        return is_address(host) and (not self.options.local or is_loopback(host))

    def new_cookie(self) -> str:
        """A new visitor, signed."""
        visitor = secrets.token_hex(12)
        return f"{visitor}.{self._sign(visitor)}"

    def visitor_of(self, cookie: str) -> str | None:
        """The visitor of a cookie; None if this app did not sign it."""
        visitor, _, signature = cookie.partition(".")
        return visitor if visitor and hmac.compare_digest(signature.encode(), self._sign(visitor).encode()) else None

    def _sign(self, visitor: str) -> str:
        return hmac.new(self._key, visitor.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]

    def visitor(self, request: gr.Request | None) -> str:
        """The visitor, by the cookie of the page or the login.

        Raises:
            UserError: the request comes from no page of this app.
        """
        cookies: Mapping[str, str] = getattr(getattr(request, "request", None), "cookies", {})
        found = self.visitor_of(cookies.get(COOKIE, ""))
        if request is None or found is None:
            raise UserError("access.no_page")
        return f"user {request.username}" if request.username else found

    def viewer(self, request: gr.Request | None) -> str | None:
        """Whose images and models are shown beside those of everybody: the visitor's, "" for none, None for all."""
        if not self.strangers:
            return None
        try:
            return self.visitor(request)
        except UserError:
            return ""

    def check(self, action: Action, request: gr.Request | None) -> str:
        """Check that a visitor may do an action; returns the visitor.

        Raises:
            UserError: the request comes from no page of this app, or this app does not offer it.
        """
        visitor = self.visitor(request)
        if self.options.read_only:
            raise UserError("access.read_only")
        if action == "hub" and not self.hub:
            raise UserError("access.no_hub")
        return visitor

    def own(self, folder: Path, request: gr.Request | None) -> str:
        """Check that a run belongs to the visitor, before an action on it; returns the visitor.

        Raises:
            UserError: it is another visitor's, or the request comes from no page of this app.
        """
        visitor = self.visitor(request)
        if self.strangers and owner_of(folder) != visitor:
            raise UserError("access.not_yours", name=folder.name)
        return visitor

    def owns(self, folder: Path, request: gr.Request | None) -> bool:
        """Whether a run is the visitor's."""
        try:
            self.own(folder, request)
        except UserError:
            return False
        return True
