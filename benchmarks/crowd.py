"""Twenty pages that follow one training, and twenty people who search meanwhile, for a minute.

    python -m benchmarks.crowd [--people 20] [--seconds 60] [--pause 2]

The app trains in a process of its own. The same training is measured alone first. Each page asks for the state of the run every
1.5 s, as the Train tab does; each person uploads an image, waits for the answers, and looks at them for `--pause` seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.load import Call, Connection, Site, User, look_at, report, started, wait_until_idle
from cl_core.runs.folder import RunFolder
from tests.browser.conftest import FLAGS
from tests.browser.install import find_browser

LINK = "?tab=train&train-dataset=emoji&train-epochs=400&train-other=--snapshots 0"
NAME = "emoji-simclr-1"
POLL_S = 1.5
ALONE_S = 40.0


class Follower:
    """A page that follows a run: it asks without the queue, as the page's clock does."""

    def __init__(self, site: Site, event: int) -> None:
        self._connection = Connection(site.host, site.port, {"Accept-Encoding": "br, gzip"})
        self._event, self._session, self._drawn = event, secrets.token_hex(6), ""

    async def follow(self, until: float) -> list[Call]:
        """Ask until then; every call."""
        calls = []
        while time.monotonic() < until:
            began = time.monotonic()
            asked = {"data": [NAME, self._drawn], "fn_index": self._event, "session_hash": self._session}
            sent = json.dumps(asked).encode()
            reply = await self._connection.send("POST", "/gradio_api/run/predict", sent, Content_Type="application/json")
            calls.append(Call("page", time.monotonic() - began, "" if reply.status == 200 else f"{reply.status}"))
            await asyncio.sleep(POLL_S)
        self._connection.close()
        return calls


class Searcher(User):
    """A person who searches, looks, and searches again."""

    async def search_on(self, until: float, pause_s: float) -> list[Call]:
        """Search until then; every search."""
        calls = []
        while time.monotonic() < until:
            began = time.monotonic()
            problem = await self.search()
            calls.append(Call("search", time.monotonic() - began, problem))
            await asyncio.sleep(pause_s)
        return calls


def clock_event(url: str) -> int:
    """The event by which the Train tab follows a run."""
    with urllib.request.urlopen(f"{url}config") as answer:
        config: dict[str, Any] = json.load(answer)
    status = next(each["id"] for each in config["components"] if each["props"].get("elem_id") == "train-status")
    ticks = [each for each in config["dependencies"] if status in each["outputs"] and each["targets"][0][1] == "tick"]
    return int(ticks[0]["id"])


def start_training(url: str) -> None:
    """Press Train in a browser, which is closed then."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        page = browser.new_page()
        page.goto(url + LINK)
        page.click("#train-start", timeout=60_000)
        page.get_by_text("of 400 ·").wait_for(timeout=120_000)
        browser.close()


def images_a_second(folder: RunFolder, seconds: float) -> float:
    """Images trained on in the next `seconds`, by the steps that the run records."""
    first, began = folder.read_metrics()[-1], time.monotonic()
    time.sleep(seconds)
    last = folder.read_metrics()[-1]
    record = folder.read_record()
    return float((last["step"] - first["step"]) * min(record.config.batch_size, record.instances) / (time.monotonic() - began))


async def crowd(site: Site, event: int, people: int, seconds: float, pause_s: float) -> list[Call]:
    """Every call of the pages and people."""
    until = time.monotonic() + seconds
    pages = [Follower(site, event).follow(until) for _ in range(people)]
    searches = [Searcher(site, number).search_on(until, pause_s) for number in range(people)]
    made = await asyncio.gather(*pages, *searches)
    return [call for calls in made for call in calls]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pause", type=float, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CL_RUNS_DIR"] = folder
        with started() as (url, process):
            site = look_at(url)
            asyncio.run(crowd(site, clock_event(url), 2, 2, 0))
            wait_until_idle(process)
            start_training(url)
            run = RunFolder(Path(folder) / NAME)
            time.sleep(10)
            before = images_a_second(run, ALONE_S)
            began, first = time.monotonic(), run.read_metrics()[-1]["step"]
            calls = asyncio.run(crowd(site, clock_event(url), options.people, options.seconds, options.pause))
            spent, last = time.monotonic() - began, run.read_metrics()[-1]["step"]
            record = run.read_record()
            during = (last - first) * min(record.config.batch_size, record.instances) / spent
            after = images_a_second(run, ALONE_S)
            alone = float(np.mean([before, after]))
            print("\n".join(report(calls, spent)))
            share = during / alone
            print(f"training: {before:.0f} images a second alone, {during:.0f} meanwhile, {after:.0f} after: {share:.0%}")


if __name__ == "__main__":
    main()
