"""Memory of the app while people use it for half an hour: it must level off.

    python -m benchmarks.soak [--users 10] [--minutes 30] [--pause 0.2]

Each user does what those of `benchmarks.load` do, as a new visitor every time, and now and then leaves an answer unread. Prints
the resident memory once a minute and how much it grew after the first five.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import time
from pathlib import Path

import numpy as np

from benchmarks.load import MODEL, Call, Site, User, look_at, started

SETTLED_MIN = 5.0
SAMPLE_S = 10.0
UNREAD_EVERY = 15  # calls


def resident_mb(process: int) -> float:
    """Memory of a process that lies in RAM and is its own, in MB."""
    pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Visitors(User):
    """One after the other at the same place; some leave before their answer comes."""

    async def leave(self) -> str:
        rows = [[self._random.gauss(0, 1) for _ in range(8)] for _ in range(256)]
        body = json.dumps({"data": [rows, "nt-xent", 0.1, None]}).encode()
        reply = await self._connections[0].send("POST", "/gradio_api/call/loss_anatomy", body, Content_Type="application/json")
        return "" if reply.status == 200 else f"{reply.status}"

    async def project(self) -> str:
        body = json.dumps({"data": [MODEL, "pca", "feature"]}).encode()
        joined = await self._connections[0].send("POST", "/gradio_api/call/project", body, Content_Type="application/json")
        number = json.loads(joined.body)["event_id"]
        reply = await self._connections[0].send("GET", f"/gradio_api/call/project/{number}")
        return "" if b"event: complete" in reply.body else f"{reply.status}"

    async def come_and_go(self, until: float, pause_s: float) -> list[Call]:
        calls: list[Call] = []
        kinds = [self.search, self.call, self.page, self.call, self.search, self.project]
        while time.monotonic() < until:
            self._session = secrets.token_hex(6)
            act = self.leave if len(calls) % UNREAD_EVERY == UNREAD_EVERY - 1 else kinds[len(calls) % len(kinds)]
            began = time.monotonic()
            try:
                problem = await act()
            except (TimeoutError, OSError, ValueError, KeyError, asyncio.IncompleteReadError) as error:
                problem = f"{type(error).__name__}: {error}"
                for connection in self._connections:
                    connection.close()
            calls.append(Call(act.__name__, time.monotonic() - began, problem))
            await asyncio.sleep(pause_s)
        return calls


async def watch(process: int, until: float) -> list[tuple[float, float]]:
    """Minutes since the start and memory in MB, every `SAMPLE_S`."""
    began, samples = time.monotonic(), []
    while time.monotonic() < until:
        samples.append(((time.monotonic() - began) / 60, resident_mb(process)))
        if len(samples) % 6 == 1:
            print(f"{samples[-1][0]:5.1f} min  {samples[-1][1]:7.0f} MB", flush=True)
        await asyncio.sleep(SAMPLE_S)
    return samples


async def soak(
    site: Site, process: int, users: int, minutes: float, pause_s: float
) -> tuple[list[Call], list[tuple[float, float]]]:
    until = time.monotonic() + 60 * minutes
    places = [Visitors(site, number).come_and_go(until, pause_s) for number in range(users)]
    watching = asyncio.create_task(watch(process, until))
    made = await asyncio.gather(*places)
    return [call for calls in made for call in calls], await watching


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between a visitor's calls")
    asked = parser.parse_args()
    with started() as (url, process):
        calls, samples = asyncio.run(soak(look_at(url), process, asked.users, asked.minutes, asked.pause))
    seconds = np.array([call.seconds for call in calls])
    problems = [call.problem for call in calls if call.problem]
    settled = [memory for minute, memory in samples if minute >= SETTLED_MIN]
    print(f"{len(calls)} calls, {len(calls) / (60 * asked.minutes):.1f} a second, p95 {np.percentile(seconds, 95):.2f} s")
    print(f"{len(problems)} errors" + "".join(f"\n    {each[:120]}" for each in sorted(set(problems))[:5]))
    if settled:
        most, last = max(settled) - settled[0], settled[-1] - settled[0]
        print(f"growth after {SETTLED_MIN:.0f} minutes: {most:+.0f} MB at most, {last:+.0f} MB at the end")


if __name__ == "__main__":
    main()
