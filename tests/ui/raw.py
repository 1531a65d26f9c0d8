"""Requests as a program makes them that knows nothing of the page: any header, any body, any event."""

from __future__ import annotations

import http.client
import json
import secrets
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from cl_core.ui.access import COOKIE, Access, Options
from cl_core.ui.build import build_app, launch_options
from cl_core.ui.server import Server


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


def ask(url: str, path: str, body: bytes | str | None = None, method: str = "", **headers: str) -> Reply:
    """One request; `headers` with underscores for dashes."""
    place = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method or ("GET" if body is None else "POST"), path, body, given)
    answer = connection.getresponse()
    text = answer.read().decode("utf-8", "replace")
    connection.close()
    return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)


def visit(url: str) -> str:
    """Open the first page; gives the visitor's cookie."""
    return ask(url, "/").headers["set-cookie"].split(";")[0]


def event(url: str, number: int, data: list[Any], cookie: str = "", queued: bool = True) -> str:
    """Fire an event of the page by its number; gives all that the server answers."""
    session = secrets.token_hex(6)
    body = json.dumps({"data": data, "fn_index": number, "session_hash": session})
    headers = {"Content_Type": "application/json"} | ({"Cookie": cookie} if cookie else {})
    if not queued:
        return ask(url, "/gradio_api/run/predict", body, **headers).text
    joined = ask(url, "/gradio_api/queue/join", body, **headers)
    return joined.text if joined.status != 200 else ask(url, f"/gradio_api/queue/data?session_hash={session}", **headers).text


@contextmanager
def served(**options: Any) -> Iterator[tuple[str, Any]]:
    """The app as these `Options` offer it, on loopback: its address and its blocks."""
    server = Server(Access(Options(**options)))
    app = build_app(server.access)
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, **launch_options(server))
    try:
        yield url, app
    finally:
        server.close()


__all__ = ["COOKIE", "Reply", "ask", "event", "served", "visit"]
