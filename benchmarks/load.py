"""How many people the app serves at once: uploaded searches, API calls and page loads, by default without a pause between them.

    python -m benchmarks.load [--users 40] [--seconds 60] [--pause 0] [--url URL]

Each user repeats three calls in turn, from a different start: the Search tab's event for an uploaded image, one of the
named functions, and a page with every asset that a browser fetches for it (six connections, nothing cached). Starts the app
in a process of its own unless `--url` names one. The load comes from this machine, so it takes a part of its cores.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import io
import itertools
import json
import os
import random
import secrets
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, free_port
from tests.browser.install import find_browser
from tests.conftest import ROOT

MODEL = "emoji-simclr"
CONNECTIONS = 6  # that a browser opens to one host
PATIENCE_S = 60.0
BOUNDARY = "----load"


@dataclasses.dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """One HTTP/1.1 connection, kept open. Small, so that the load costs little of the machine it is measured on."""

    def __init__(self, host: str, port: int, headers: dict[str, str]) -> None:
        self._host, self._port, self._headers = host, port, headers
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        """One request, answered whole; an event stream is read until its last event."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in (self._headers | headers).items()]
        request, used = "\r\n".join([*lines, "", ""]).encode() + body, self._streams is not None
        try:
            return await self._exchange(request)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.close()
            if not used:
                raise
            return await self._exchange(request)  # the server closes what is idle for 5 s; a browser tries again, too

    async def _exchange(self, request: bytes) -> Reply:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, limit=2**26)
        reader, writer = self._streams
        writer.write(request)
        await writer.drain()
        return await asyncio.wait_for(self._read(reader), PATIENCE_S)

    async def _read(self, reader: asyncio.StreamReader) -> Reply:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        status = int(head[0].split()[1])
        if found.get("transfer-encoding") == "chunked":
            body = b""
            while size := int((await reader.readline()).split(b";")[0], 16):
                body += await reader.readexactly(size)
                await reader.readexactly(2)
            await reader.readexactly(2)
        else:
            body = await reader.readexactly(int(found.get("content-length", 0)))
        if found.get("connection") == "close":
            self.close()
        return Reply(status, found, body)

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None


@dataclasses.dataclass(frozen=True)
class Site:
    """What a load needs to know of an app. search: the Search tab's event; assets: what a page fetches."""

    host: str
    port: int
    search: int
    trigger: int
    assets: list[str]


@dataclasses.dataclass(frozen=True)
class Call:
    kind: str
    seconds: float
    problem: str


def _answer(reply: Reply) -> str:
    """What an event's stream says went wrong; empty where nothing did."""
    if reply.status != 200:
        return f"{reply.status} {reply.body[:80]!r}"
    text = reply.body.decode()
    if '"process_completed"' in text:
        return "" if '"success":true' in text.replace(" ", "") else text[-200:]
    return "" if "event: complete" in text else text[-200:]


class User:
    """One visitor: a page of their own, and images of their own."""

    def __init__(self, site: Site, number: int) -> None:
        self._site, self._random = site, random.Random(number)
        headers = {"Accept-Encoding": "br, gzip"}
        self._connections = [Connection(site.host, site.port, headers) for _ in range(CONNECTIONS)]
        self._session = secrets.token_hex(6)

    async def search(self) -> str:
        own, pixels = self._connections[0], np.random.default_rng(self._random.randrange(2**32))
        file = io.BytesIO()
        Image.fromarray(pixels.integers(0, 256, (12, 12, 3), dtype=np.uint8)).resize((160, 160)).save(file, "PNG")
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="own.png"\r\n'
        body = f"{head}Content-Type: image/png\r\n\r\n".encode() + file.getvalue() + f"\r\n--{BOUNDARY}--\r\n".encode()
        sent = await own.send("POST", "/gradio_api/upload", body, Content_Type=f"multipart/form-data; boundary={BOUNDARY}")
        if sent.status != 200:
            return f"upload: {sent.status} {sent.body[:80]!r}"
        upload = {"path": json.loads(sent.body)[0], "orig_name": "own.png", "meta": {"_type": "gradio.FileData"}}
        asked = {
            "data": [MODEL, upload, None, "similar", [], "", 1],
            "fn_index": self._site.search,
            "session_hash": self._session,
            "trigger_id": self._site.trigger,
        }
        joined = await own.send("POST", "/gradio_api/queue/join", json.dumps(asked).encode(), Content_Type="application/json")
        if joined.status != 200:
            return f"join: {joined.status} {joined.body[:80]!r}"
        return _answer(await own.send("GET", f"/gradio_api/queue/data?session_hash={self._session}"))

    async def call(self) -> str:
        rows = [[self._random.gauss(0, 1) for _ in range(8)] for _ in range(16)]
        name, data = self._random.choice(
            [
                ("search", [MODEL, "dog", 5, "trained"]),
                ("similarity", [MODEL, ["dog", "cat", "grinning face"], "feature"]),
                ("augment", [MODEL, "dog", 2, self._random.randrange(1000)]),
                ("loss_anatomy", [rows, "nt-xent", 0.1, None]),
            ]
        )
        own, body = self._connections[0], json.dumps({"data": data}).encode()
        joined = await own.send("POST", f"/gradio_api/call/{name}", body, Content_Type="application/json")
        if joined.status != 200:
            return f"{name}: {joined.status} {joined.body[:80]!r}"
        return _answer(await own.send("GET", f"/gradio_api/call/{name}/{json.loads(joined.body)['event_id']}"))

    async def page(self) -> str:
        first = await self._connections[0].send("GET", "/")
        problems = [] if first.status == 200 else [f"/: {first.status}"]
        waiting = iter(self._site.assets)

        async def fetch(connection: Connection) -> None:
            for path in waiting:
                reply = await connection.send("GET", path)
                if reply.status not in (200, 206):
                    problems.append(f"{path}: {reply.status}")

        await asyncio.gather(*map(fetch, self._connections))
        return "; ".join(problems)

    async def repeat(self, until: float, first: int, pause_s: float = 0.0) -> list[Call]:
        kinds = [("uploaded search", self.search), ("API call", self.call), ("page", self.page)]
        calls = []
        for kind, act in itertools.islice(itertools.cycle(kinds), first % len(kinds), None):
            began = time.monotonic()
            if began > until:
                break
            try:
                problem = await act()
            except (TimeoutError, OSError, ValueError, asyncio.IncompleteReadError) as error:
                problem = f"{type(error).__name__}: {error}"
                for connection in self._connections:
                    connection.close()
            calls.append(Call(kind, time.monotonic() - began, problem))
            await asyncio.sleep(pause_s)
        for connection in self._connections:
            connection.close()
        return calls


def look_at(url: str) -> Site:
    """What a browser fetches for the first page, and which event searches; of an app that is only starting, once it answers."""
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            break
        except OSError:
            time.sleep(0.1)
    place = urllib.parse.urlsplit(url)
    assets: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        page = browser.new_page()

        def note(request: Any) -> None:
            path = urllib.parse.urlsplit(request.url)
            streams = any(word in path.path for word in ("heartbeat", "queue", "/run/", "/call/", "startup-events"))
            if request.method == "GET" and path.netloc == place.netloc and path.path != "/" and not streams:
                assets.append(path.path + (f"?{path.query}" if path.query else ""))

        page.on("request", note)
        page.goto(url)
        page.wait_for_selector("#start-view .cl-stage[data-drawn]", timeout=120_000)
        page.remove_listener("request", note)
        config = page.evaluate("() => fetch('/config').then((reply) => reply.json())")
        browser.close()
    ids = {each["props"].get("elem_id"): each["id"] for each in config["components"]}
    event = next(
        each
        for each in config["dependencies"]
        if ids["search-upload"] in each["inputs"] and each["outputs"] == [ids["search-view"]]
    )
    return Site(place.hostname or "127.0.0.1", place.port or 80, event["id"], ids["search-upload"], list(dict.fromkeys(assets)))


@contextmanager
def started(arguments: tuple[str, ...] = ()) -> Iterator[tuple[str, int]]:
    """The app in a process of its own: its address and process id."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "app.py", "--port", str(port), *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}/", process.pid
    finally:
        process.terminate()
        process.wait(30)


def wait_until_idle(process: int) -> None:
    """Until a process has used less than a tenth of a core for 3 s: what the app opens at its start is open then."""
    for _ in range(60):
        before = sum(map(int, Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]))
        time.sleep(3)
        after = sum(map(int, Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]))
        if (after - before) / os.sysconf("SC_CLK_TCK") < 0.3:
            return


async def put_load(site: Site, users: int, seconds: float, pause_s: float = 0.0) -> list[Call]:
    """Every call that `users` made in `seconds`."""
    until = time.monotonic() + seconds
    made = await asyncio.gather(*(User(site, number).repeat(until, number, pause_s) for number in range(users)))
    return [call for calls in made for call in calls]


def report(calls: list[Call], seconds: float) -> list[str]:
    """One line a kind: calls a second, median, 95th percentile, errors."""
    lines = []
    for kind in [*dict.fromkeys(call.kind for call in calls), ""]:
        chosen = [call for call in calls if kind in ("", call.kind)]
        p50, p95 = np.percentile([call.seconds for call in chosen], [50, 95])
        errors = [call.problem for call in chosen if call.problem]
        name = kind or "all"
        lines.append(f"{name:<16}{len(chosen) / seconds:6.1f} a second  p50 {p50:6.2f} s  p95 {p95:6.2f} s  {len(errors)} errors")
        if errors and kind:
            lines.append(f"    {errors[0][:150]}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pause", type=float, default=0, help="seconds between a user's calls")
    parser.add_argument("--url", default="")
    arguments = parser.parse_args()
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    with nullcontext((arguments.url, 0)) if arguments.url else started() as (url, process):
        site = look_at(url)
        asyncio.run(put_load(site, 2, 1))
        if process:
            wait_until_idle(process)
        began = time.monotonic()
        calls = asyncio.run(put_load(site, arguments.users, arguments.seconds, arguments.pause))
        print(f"{arguments.users} users, {len(site.assets)} assets a page, {os.cpu_count()} cores")
        print("\n".join(report(calls, time.monotonic() - began)))


if __name__ == "__main__":
    main()
