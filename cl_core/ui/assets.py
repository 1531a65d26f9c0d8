"""Files and pages that are the same for everybody, compressed once and served from memory.

Gradio reads and compresses each of the 85 files of a page at every request and builds the page itself for every visitor; with
forty visitors that dominates the response time.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import mimetypes
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import anyio.to_thread
import brotli
import gradio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Scope, Send

from cl_core.ui.urls import FILE_ROUTE

MAX_BYTES = 128_000_000  # kept in memory, compressed and plain
QUALITY = 6  # of brotli: a tenth of a second for the largest script, once
MIN_COMPRESSED = 400  # bytes worth compressing
COMPRESSIBLE = ("text/", "application/javascript", "application/json", "image/svg+xml", "application/manifest+json")
FOREVER, AN_HOUR = "public, max-age=31536000, immutable", "public, max-age=3600"
NOT_OF_THE_PAGE = (b"cookie", b"accept-encoding")
MAX_PAGES = 64  # kept: each language at each address
QUERIED = ("/config", "/gradio_api/info")  # depend on their query; the query of a page is for the browser
# On every answer.
SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
GRADIO_FRONTEND = Path(gradio.__file__).resolve().parent / "templates" / "frontend"
TYPES = {".js": "application/javascript", ".mjs": "application/javascript", ".css": "text/css", ".webp": "image/webp"}


@dataclasses.dataclass(frozen=True)
class CachedAnswer:
    """An answer: its body plain and, where that is shorter, by brotli."""

    kind: str
    plain: bytes
    short: bytes | None
    tag: str
    cache_control: str

    @property
    def size(self) -> int:
        return len(self.plain) + len(self.short or b"")

    def messages(self, brotli_taken: bool) -> tuple[Message, Message]:
        """The answer as ASGI sends it, without `SECURITY`. brotli_taken: whether who asks takes it compressed."""
        sent = [(b"etag", self.tag.encode()), (b"cache-control", self.cache_control.encode()), (b"vary", b"accept-encoding")]
        body = self.plain
        if self.short is not None and brotli_taken:
            body = self.short
            sent.append((b"content-encoding", b"br"))
        sent += [(b"content-type", self.kind.encode()), (b"content-length", str(len(body)).encode())]
        return {"type": "http.response.start", "status": 200, "headers": sent}, {"type": "http.response.body", "body": body}


def prepare(body: bytes, kind: str, cache_control: str) -> CachedAnswer:
    """Prepare `body` for many answers."""
    small = len(body) < MIN_COMPRESSED or not kind.startswith(COMPRESSIBLE)
    short = None if small else brotli.compress(body, quality=QUALITY)
    return CachedAnswer(kind, body, short, f'"{hashlib.sha256(body).hexdigest()[:24]}"', cache_control)


class Assets:
    """Serve files and pages that are equal for all visitors from memory.

    Args:
        folders: folders whose files are public; the name of a file changes with its content. files: further public files.
        pages: paths of pages that are equal for all visitors; none with a login.
        scripts: those of `folders` whose files stay as long as the app runs.
    """

    def __init__(
        self, app: ASGIApp, folders: Iterable[Path], files: Iterable[Path], pages: Iterable[str], scripts: Iterable[Path] = ()
    ) -> None:
        self._app, self._pages = app, frozenset(pages)
        self._folders, self._files = [each.resolve() for each in folders], {each.resolve() for each in files}
        self._scripts = ("/assets/", *(f"{FILE_ROUTE}{each}/" for each in scripts))
        self._cache: OrderedDict[str, CachedAnswer] = OrderedDict()
        self._ready: dict[tuple[str, bool], tuple[Message, Message]] = {}  # of what is kept
        self._of_page: OrderedDict[str, None] = OrderedDict()  # keys of `_cache`, the least recently used first
        self._size, self._making = 0, asyncio.Lock()

    def ready(self, path: str, brotli_taken: bool) -> tuple[Message, Message] | None:
        """The whole answer for one of Gradio's files or our modules after its first request: a page fetches a hundred at once."""
        if not path.startswith(self._scripts):
            return None
        found = self._ready.get((path, brotli_taken))
        if found is None and path in self._cache:
            start, body = self._cache[path].messages(brotli_taken)
            found = self._ready[path, brotli_taken] = {**start, "headers": [*start["headers"], *SECURITY]}, body
        return found

    async def answer(self, scope: Scope, headers: Headers, send: Send) -> bool:
        """Answer from memory; False for other requests."""
        if scope["method"] not in ("GET", "HEAD") or "range" in headers:
            return False
        path = scope["path"]
        is_page = path in self._pages
        if is_page and scope["query_string"] and path in QUERIED:
            return False
        key = _page_key(scope, headers) if is_page else path
        found = self._cache.get(key)
        if found and path.startswith(FILE_ROUTE) and not Path(path.removeprefix(FILE_ROUTE)).is_file():
            self._forget(key)  # such as a sheet of images that were removed
            return False
        if found is None:
            if not is_page and self._place(path)[0] is None:
                return False
            async with self._making:  # of many first requests only one reads the disk
                found = self._cache.get(key) or (await self._page(scope) if is_page else await self._file(path))
                if found is None:
                    return False
                self._remember(key, found)
        else:
            self._cache.move_to_end(key)
        if is_page and key in self._cache:  # strangers may name the app in many ways
            self._of_page[key] = None
            self._of_page.move_to_end(key)
            if len(self._of_page) > MAX_PAGES:
                self._forget(next(iter(self._of_page)))
        await _send(found, scope, headers, send)
        return True

    def _remember(self, key: str, value: CachedAnswer) -> None:
        if value.size > MAX_BYTES // 4 or key in self._cache:
            return
        self._cache[key] = value
        self._size += value.size
        while self._size > MAX_BYTES:
            self._forget(next(iter(self._cache)))

    def _forget(self, key: str) -> None:
        old = self._cache.pop(key, None)
        self._of_page.pop(key, None)
        if old is not None:
            self._size -= old.size
            for brotli_taken in (True, False):
                self._ready.pop((key, brotli_taken), None)

    async def _file(self, path: str) -> CachedAnswer | None:
        file, cache_control = self._place(path)
        if file is None:
            return None
        kind = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        try:
            return await anyio.to_thread.run_sync(lambda: prepare(file.read_bytes(), kind, cache_control))
        except OSError:
            return None

    def _place(self, path: str) -> tuple[Path | None, str]:
        """The file at a path of the site, if it is public, and its cache control."""
        if path.startswith("/assets/"):
            file = (GRADIO_FRONTEND / path[1:]).resolve()
            return (file, FOREVER) if GRADIO_FRONTEND in file.parents and file.is_file() else (None, "")
        if path.startswith(FILE_ROUTE):
            file = Path(path.removeprefix(FILE_ROUTE)).resolve()
            if file in self._files:
                return file, AN_HOUR
            if any(folder in file.parents for folder in self._folders) and file.is_file():
                return file, FOREVER
        return None, ""

    async def _page(self, scope: Scope) -> CachedAnswer | None:
        """The page as Gradio builds it, once for all visitors of an address."""
        status, kind, body = 0, "", b""

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def collect(message: Message) -> None:
            nonlocal status, kind, body
            if message["type"] == "http.response.start":
                status, kind = message["status"], Headers(raw=message["headers"]).get("content-type", "")
            else:
                body += message.get("body", b"")

        headers = [(name, value) for name, value in scope["headers"] if name not in NOT_OF_THE_PAGE]
        await self._app({**scope, "method": "GET", "query_string": b"", "headers": headers}, receive, collect)
        return await anyio.to_thread.run_sync(prepare, body, kind, "private, no-cache") if status == 200 else None


def is_https(scope: Scope, headers: Headers) -> bool:
    """Whether the visitor asked by https; of a chain of proxies the first one was asked by the visitor."""
    return "https" in (scope.get("scheme"), headers.get("x-forwarded-proto", "").split(",")[0].strip())


def _page_key(scope: Scope, headers: Headers) -> str:
    """A page contains the address it was opened by, which a proxy sends in its own headers."""
    return f"{is_https(scope, headers)} {headers.get('host')} {headers.get('x-forwarded-host')} {scope['path']}"


async def _send(found: CachedAnswer, scope: Scope, headers: Headers, send: Send) -> None:
    start, body = found.messages("br" in headers.get("accept-encoding", ""))
    if found.tag in headers.get("if-none-match", ""):
        start = {"type": "http.response.start", "status": 304, "headers": start["headers"][:3]}
        body = {"type": "http.response.body", "body": b""}
    elif scope["method"] == "HEAD":
        body = {"type": "http.response.body", "body": b""}
    await send(start)
    await send(body)
