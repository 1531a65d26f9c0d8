"""The real app in a real browser."""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from cl_core.ui.modules import module_url
from tests.browser.install import find_browser
from tests.conftest import ROOT

PATIENCE_MS = 60_000  # the machine may be busy; what is slow is measured in benchmarks/
expect.set_options(timeout=PATIENCE_MS)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test in a browser gets a second try, which the summary reports: three of them share two busy cores."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_app(log: Path, command: list[str], environment: dict[str, str], port: int | None = None) -> Iterator[str]:
    """Address of the app, in a process of its own; fails if that printed a traceback."""
    port = port or free_port()
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command, "--port", str(port)], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        url = f"http://127.0.0.1:{port}/"
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(url, timeout=5)
                    break
                except OSError:
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.1)
            else:
                raise AssertionError(f"no answer in 60 s: {log.read_text()}")
            yield url
            # An event loop that the collector finds half made is Gradio's: Python says it ignores that.
            lines = log.read_text().splitlines()
            raised = [i for i, line in enumerate(lines) if line.startswith("Traceback")]
            assert all(i and lines[i - 1].startswith("Exception ignored in: <function BaseEventLoop") for i in raised), lines
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.fixture(scope="session")
def app_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the app keeps the runs it trains."""
    return tmp_path_factory.mktemp("runs") / "runs"


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory, app_runs: Path) -> Iterator[str]:
    """Address of the app, started as a person starts it."""
    environment = os.environ | {"CL_RUNS_DIR": str(app_runs), "CL_WARM_UP": "1"}
    with running_app(tmp_path_factory.mktemp("app") / "log", ["app.py"], environment) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def wide(browser: Browser) -> BrowserContext:
    """One for all tests: its cache holds the app's scripts, as a person's browser does.

    It asks for stillness, for software rendering of what moves takes a core; a test of what moves is marked `moves`.
    """
    return browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")


@pytest.fixture(scope="session")
def narrow(browser: Browser) -> BrowserContext:
    return browser.new_context(viewport={"width": 390, "height": 900}, reduced_motion="reduce")


@pytest.fixture
def page(request: pytest.FixtureRequest, wide: BrowserContext, app_url: str) -> Iterator[Page]:
    """The app, opened wide and light, at Start or what the mark `opens` names; fails if the console shows an error."""
    mark, moves = request.node.get_closest_marker("opens"), request.node.get_closest_marker("moves")
    yield from opened(wide, app_url, "light", mark.args[0] if mark else "start", bool(moves))


@pytest.fixture
def phone(narrow: BrowserContext, app_url: str) -> Iterator[Page]:
    """The app, opened narrow and dark."""
    yield from opened(narrow, app_url, "dark")


@pytest.fixture(scope="module")
def modules(wide: BrowserContext, app_url: str) -> Iterator[Page]:
    """A page of the app's origin without the app, for tests that import its modules alone; `modules_of` is their folder."""
    page = wide.new_page()
    page.goto(app_url + "theme.css")
    yield page
    page.close()


def serious(problems: list[str]) -> list[str]:
    """What went wrong, but for what a page that is left or loaded anew still waited for."""
    return [problem for problem in problems if not re.search("AbortError|Connection errored out", problem)]


def opened(context: BrowserContext, app_url: str, theme: str, tab: str = "start", moves: bool = False) -> Iterator[Page]:
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            problems.append(message.text)

    page = context.new_page()
    if moves:
        page.emulate_media(reduced_motion="no-preference")
    page.on("console", note)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{app_url}?__theme={theme}" + (f"&tab={tab}" if tab != "start" else ""))
    page.wait_for_selector(READY[tab])
    yield page
    found = serious(problems)
    page.evaluate("localStorage.clear()")
    page.close()
    assert not found, found


def open_tab(page: Page, name: str, within: str = "body") -> None:
    """Open a tab by its name; on a phone it is swiped into view."""
    page.locator(within).get_by_role("tab", name=re.compile(name)).first.click()


def modules_of(page: Page) -> str:
    """Address of the folder of the browser side's modules; the app in another process serves the same one."""
    return urllib.parse.urljoin(page.url, module_url("start_view")).partition("/components/")[0]


SHOWN = {"map", "loss", "what-if", "nce", "temperature", "keys", "clusters", "spectrum", "curves", "map-time"}
SHOWN |= {"compare", "ablations", "search", "words", "images", "train", "models"}


def screenshot(page: Page, name: str) -> None:
    """Save an image of the page if `CL_SCREENSHOTS` is a folder and the manual shows it (see `make screenshots`)."""
    folder = os.environ.get("CL_SCREENSHOTS")
    if folder and name in SHOWN:
        page.wait_for_timeout(700)  # animations
        with Image.open(io.BytesIO(page.screenshot(full_page=True))) as image:
            image.convert("RGB").save(Path(folder) / f"{name}.webp", quality=80, method=6)


# What is on the page once a view has been drawn.
READY = {
    "start": "#start-view .cl-stage[data-drawn]",
    "views": "#views-view img",
    "loss": "#loss-view .cl-root[data-drawn]",
    "temperature": "#temperature-view .cl-root[data-curves]",
    "keys": "#keys-view .cl-root[data-drawn]",
    "nce": "#nce-view .cl-root[data-drawn]",
    "spectrum": "#spectrum-view .cl-root[data-drawn]",
    "clusters": "#clusters-view .cl-root[data-drawn]",
    "curves": "#curves-view .cl-root[data-drawn]",
    "map": "#map-view .cl-root[data-images]",
    "compare": "#compare-batch .cl-root[data-drawn]",
    "ablations": "#ablations-question strong",
    "search": "#search-view .cl-root:not([data-more]) .cl-row",
    "words": "#words-map .cl-root[data-drawn]",
    "images": "#images-rows .cl-row",
    "train": "#train-status .work-done",
    "models": "#models-list table",
}

# What a finger may miss: controls under 40 pixels high or wide, one line each.
SMALL_TARGETS = """() => [...document.querySelectorAll('button, a[href], select, input:not([type=hidden]), summary, [role=tab]')]
  .filter((node) => node.checkVisibility())
  .map((node) => [node, (node.closest('label') ?? node).getBoundingClientRect()])
  .filter(([, box]) => box.width > 1 && box.height > 1 && (box.height < 40 || box.width < 40))
  .map(([node, box]) =>
    `${node.tagName}.${node.className} ${(node.textContent || node.ariaLabel || '').trim().slice(0, 24)} ` +
    `${Math.round(box.width)}x${Math.round(box.height)}`)"""
