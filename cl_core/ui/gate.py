"""The outermost layer of the server: every request passes here before Gradio gets it.

It refuses requests for another host name (DNS rebinding), from another site's page, to routes the page does not need, and those
that are too large or too frequent. It sets the visitor's cookie and the security headers.
"""

from __future__ import annotations

import asyncio
import collections
import json
import re
import sys
import time
import urllib.parse
from collections.abc import Mapping, Sequence

from gradio.blocks import BlockFunction
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cl_core.system.host import on_space
from cl_core.text import DEFAULT_LANGUAGE, LANGUAGES, text, using_language
from cl_core.ui.access import COOKIE, Access
from cl_core.ui.assets import SECURITY, Assets, is_https
from cl_core.ui.event_values import MAX_VALUES, NAME, holds_too_many, problem_of
from cl_core.ui.limits import Limiter

API = "/gradio_api"
MAX_CALL = 32_000_000  # bytes of a call, which may hold an image
UPLOADS_AT_ONCE = 4  # of the largest size, where others can reach the app
MAX_HELD = 256_000_000  # bytes of all calls that are being read and answered
MAX_URL = 8_000  # bytes of a path and of a query; a link has the state of all controls
MAX_STREAMS = 2_000  # of one address: a school behind one router has two for each page
AROUND = 100_000  # bytes of an upload beside the file
MAX_HOSTS = 100  # ways to name this app that are remembered
OWN_HEADERS = b"x-gradio-"  # with them a request would choose the address in other people's pages, or a bucket of the Hub
UNUSUAL = frozenset({b"origin", b"range", b"if-none-match", b"x-forwarded-host"})  # headers that decide about an answer
SLOWEST_S, LONGEST_S = 30.0, 1800.0  # between two parts of a body; for the whole body
COOKIE_S = 30 * 24 * 3600
GET_ROUTES = re.compile(
    r"/(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json|login_check|logout)?/?"
    r"|/(assets|static|svelte)/.+"
    rf"|{API}/(startup-events|info|openapi\.json|theme\.css|app_id|user|login_check|queue/data|upload_progress)/?"
    rf"|{API}/(heartbeat/[^/]+|call/[^/]+/[^/]+|call/v2/[^/]+/[^/]+)"
    rf"|{API}/file=(?!https?:|//).+"
    rf"|{API}/mcp(/.*)?"
)
POST_ROUTES = re.compile(
    rf"/login/?|{API}/(upload|queue/join|cancel|reset|run/predict|api/predict|login_check)/?|{API}/mcp(/.*)?"
)
CALL = re.compile(rf"{API}/call/(?:v2/)?([^/]+)/?")
SIMPLE_CALL = re.compile(rf"{API}/call/([^/]+)/?")  # its values without their names
EVENT = re.compile(rf"{API}/(queue/join|run/predict|api/predict)/?")
NAMED = re.compile(r"(?:^|&)(?:session_hash|upload_id)=([^&]*)")  # Gradio remembers these names
# Gradio's page writes scripts and styles into its HTML and compiles what components bring.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {frames}"
)
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class TooLarge(Exception):
    """A body is larger than its route takes."""


class Body:
    """The body of a request, counted: `receive` raises `TooLarge` beyond `most` bytes and `ClientDisconnect` after a timeout."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most, self._taken, self._over = receive, most, 0, False
        self._until = time.monotonic() + LONGEST_S
        self.exceeded = False

    async def receive(self) -> Message:
        if self._over:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), min(SLOWEST_S, self._until - time.monotonic()))
        except TimeoutError:
            raise ClientDisconnect from None
        self._taken += len(message.get("body", b""))
        self._over = message["type"] != "http.request" or not message.get("more_body", False)
        if self._taken > self._most:
            self.exceeded = True
            raise TooLarge
        return message

    async def whole(self) -> bytes:
        """All of it.

        Raises:
            ClientDisconnect: it ends before it is whole.
        """
        parts = []
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                return b"".join(parts)


class Answer:
    """Gradio's answer, dropped where the body was too large. started: whether anything was sent."""

    def __init__(self, send: Send, body: Body) -> None:
        self._send, self._body = send, body
        self.started = False

    async def send(self, message: Message) -> None:
        if not self._body.exceeded:
            self.started = True
            await self._send(message)


class Gate:
    """`app` behind the checks.

    public: the functions that anyone may call, by name, with the names of their parameters. events: of the page, by number.
    busy: calls that are being answered; closed: whether new ones are refused, because the server ends.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        public: Mapping[str, Sequence[str]],
        events: Mapping[int, BlockFunction],
        assets: Assets,
    ) -> None:
        self._app, self._access, self._public, self._events, self._assets = app, access, dict(public), events, assets
        self._pages = {"/", *(f"/{language}" for language in LANGUAGES)}
        self._limiter = None if access.options.local else Limiter()
        frames = "'self' huggingface.co *.huggingface.co *.hf.space" if on_space() else "'self'"
        self._policy = PAGE_POLICY.format(frames=frames)
        self.busy, self.closed = 0, False
        self._hosts: set[bytes] = set()  # headers that named this app before
        self._streams: set[asyncio.Task[None]] = set()
        self._of_address: collections.Counter[str] = collections.Counter()  # open streams
        self._held: collections.Counter[str] = collections.Counter()  # bytes of calls and uploads in progress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        ready = self._ready(scope)
        if ready:
            for message in ready:
                await send(message)
            return None
        scope = {**scope, "headers": [each for each in scope["headers"] if not each[0].startswith(OWN_HEADERS)]}
        headers = Headers(scope=scope)
        with using_language(_language(scope)):
            refused, too_often = self._refused(scope, headers), text("access.too_often")
        if refused:
            return await _send_error(scope, send, *refused)
        visitor, sent = self._visitor(scope, headers)
        address = (scope.get("client") or ("",))[0]
        if self._limiter and not self._limiter.allows(visitor, address, scope["method"], scope["path"]):
            return await _send_error(scope, send, 429, too_often)
        answer = self._with_headers(scope, send, sent)
        if await self._assets.answer(scope, headers, answer):
            return None
        return await self._forward(scope, headers, receive, answer)

    def _ready(self, scope: Scope) -> tuple[Message, Message] | None:
        """The answer to a plain request for one of the page's scripts, which most requests are; None to look closer."""
        if scope["method"] != "GET":
            return None
        host, brotli_taken = b"", False
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"accept-encoding":
                brotli_taken = b"br" in value
            elif name in UNUSUAL or (name == b"sec-fetch-site" and value != b"same-origin"):
                return None
        return self._assets.ready(scope["path"], brotli_taken) if host in self._hosts else None

    def _refused(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Status and message of a refused request; None to let it pass."""
        host = _host_name(headers.get("host", ""))
        # The page builds its links from a proxy's X-Forwarded-Host.
        named = [host, *(_host_name(each) for each in headers.getlist("x-forwarded-host"))]
        for name in named:
            if not self._access.knows_host(name):
                return 421, text("access.wrong_host", host=name[:80])
        if len(self._hosts) < MAX_HOSTS:
            self._hosts.add(headers["host"].encode("latin-1"))
        if not self._same_site(headers):
            return 403, text("access.other_site")
        method, path, query = scope["method"], scope["path"], scope["query_string"].decode("latin-1")
        if len(path) > MAX_URL or len(query) > MAX_URL:
            return 414, text("access.long_address", most=f"{MAX_URL:,}")
        if any(part in path for part in ("//", "/./", "/../")) or not all(map(NAME.fullmatch, NAMED.findall(query))):
            return 404, text("access.no_route", path=path[:80])
        if method in ("GET", "HEAD"):
            known = path in self._pages or path.rstrip("/") in self._pages or GET_ROUTES.fullmatch(path)
            return None if known else (404, text("access.no_route", path=path[:80]))
        if self.closed:
            return 503, text("access.closing")
        if method in ("POST", "DELETE") and POST_ROUTES.fullmatch(path):
            return None
        call = CALL.fullmatch(path)
        if method == "POST" and call and call[1] in self._public:
            return None
        return 404, text("access.no_route", path=path[:80])

    def _same_site(self, headers: Headers) -> bool:
        """Whether the request is not from another site's page; programs and a person's own navigation send no Origin."""
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site") != "cross-site" or headers.get("sec-fetch-mode") == "navigate"
        source = _split(origin)
        if source.netloc and source.netloc.lower() == headers.get("host", "").lower():
            return True
        # Behind a proxy the page has another host name than this server gets.
        return (source.hostname or "") in self._access.options.hosts

    def _visitor(self, scope: Scope, headers: Headers) -> tuple[str | None, str | None]:
        """The visitor, and the cookie to set: at the first page, or after the key has changed."""
        visitor = self._access.visitor_of(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))
        if visitor or (scope["path"].rstrip("/") or "/") not in self._pages:
            return visitor, None
        secure = on_space() or is_https(scope, headers)
        # On a Space the page is a frame in another site's.
        where = "SameSite=None; Secure; Partitioned" if secure and on_space() else "SameSite=Lax" + "; Secure" * secure
        return None, f"{COOKIE}={self._access.new_cookie()}; Path=/; Max-Age={COOKIE_S}; HttpOnly; {where}"

    def _with_headers(self, scope: Scope, send: Send, cookie: str | None) -> Send:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY:
                    headers[name.decode()] = value.decode()
                if scope["path"].startswith(f"{API}/file="):
                    headers["Content-Security-Policy"] = FILE_POLICY
                elif headers.get("content-type", "").startswith("text/html"):
                    headers["Content-Security-Policy"] = self._policy
                    if not on_space():
                        headers["X-Frame-Options"] = "SAMEORIGIN"
                if cookie:
                    headers.append("Set-Cookie", cookie)
            await send(message)

        return answer

    async def _forward(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        """Forward a request to Gradio and count its body."""
        upload = scope["path"].startswith(f"{API}/upload")
        most = self._access.most_upload + AROUND if upload else MAX_CALL
        declared = headers.get("content-length", "")
        address = (scope.get("client") or ("",))[0]
        with using_language(_language(scope)):
            sentence, busy = text("access.too_large", most=f"{most / 1e6:.0f}"), text("access.busy")
        if declared.isdigit() and int(declared) > most:
            return await _send_error(scope, send, 413, sentence)
        size = 0 if scope["method"] != "POST" else int(declared) if declared.isdigit() else most
        kind, held = ("upload", UPLOADS_AT_ONCE * most if self._limiter else sys.maxsize) if upload else ("call", MAX_HELD)
        counts, task = scope["method"] == "POST", asyncio.current_task()
        too_many = self._limiter is not None and not counts and self._of_address[address] >= MAX_STREAMS
        if self._held[kind] + size > held or too_many:
            return await _send_error(scope, send, 503, busy)
        body = Body(receive, most)
        answer = Answer(send, body)
        self.busy += counts
        self._held[kind] += size
        self._of_address[address] += not counts
        if task and not counts:
            self._streams.add(task)
        try:
            await self._checked(scope, body, answer) if counts else await self._app(scope, body.receive, answer.send)
        except TooLarge:
            pass
        except ClientDisconnect:
            return None  # the client closed the connection
        except asyncio.CancelledError:
            if not self.closed:
                raise
        finally:
            self.busy -= counts
            self._held[kind] -= size
            self._of_address[address] -= not counts
            if not self._of_address[address]:
                del self._of_address[address]
            if task:
                self._streams.discard(task)
        if body.exceeded and not answer.started:
            await _send_error(scope, send, 413, sentence)
        return None

    async def _checked(self, scope: Scope, body: Body, answer: Answer) -> None:
        """Forward a call if Gradio can read its values; forward uploads and logins unchanged."""
        path = scope["path"]
        if path.startswith((f"{API}/upload", "/login", f"{API}/login_check")):
            return await self._app(scope, body.receive, answer.send)
        content = await body.whole()
        call, event = SIMPLE_CALL.fullmatch(path), EVENT.fullmatch(path)
        with using_language(_language(scope)):
            if holds_too_many(content):
                wrong = text("access.many_values", most=f"{MAX_VALUES:,}")
            elif call or event:
                wrong = problem_of(content, self._events, self._public, call[1] if call else "")
            else:
                wrong = ""
        if wrong:
            return await _send_error(scope, answer.send, 422, wrong)
        return await self._app(scope, _again(content, body.receive), answer.send)

    def end_streams(self) -> None:
        """Cancel the streams of open pages after their connections are closed; call it on the server's loop."""
        for task in self._streams:
            task.cancel()


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive` as if `body` had not been read yet."""
    waiting = [body]

    async def first() -> Message:
        return {"type": "http.request", "body": waiting.pop(), "more_body": False} if waiting else await receive()

    return first


def _host_name(host: str) -> str:
    """The name or address in a Host header, without its port and brackets."""
    found = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::\d+)?|([^:\s]*)(?::\d+)?", host.strip())
    return (found[1] or found[2] or "") if found else ""


def _split(address: str) -> urllib.parse.SplitResult:
    """The parts of an address; empty ones if it is malformed."""
    try:
        return urllib.parse.urlsplit(address)
    except ValueError:
        return urllib.parse.urlsplit("")


def _language(scope: Scope) -> str:
    """The language of the page in the path, or of the page that calls, else the default."""
    referer = next((value.decode("latin-1") for name, value in scope.get("headers", ()) if name == b"referer"), "")
    last = (path.strip("/").rpartition("/")[2] for path in (scope["path"], _split(referer).path))
    return next((language for language in last if language in LANGUAGES), DEFAULT_LANGUAGE)


async def _send_error(scope: Scope, send: Send, status: int, sentence: str) -> None:
    """Answer with a message as JSON, which Gradio's page and clients show."""
    body = json.dumps({"detail": sentence, "error": sentence}, ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    headers += [*SECURITY, (b"content-security-policy", FILE_POLICY.encode())]
    if status == 429:
        headers.append((b"retry-after", b"10"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
