"""Models come from a Hub on loopback, are seen in the views, and go there; and a page outlives the server it came from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import PATIENCE_MS, READY, free_port, open_tab, running_app, screenshot, serious
from tests.conftest import ROOT
from tests.hub.conftest import files_of, in_layout, published
from tests.hub.server import WRITER, Hub, serving

RUN, ENCODER = "someone/dresses", "timm/resnet18.a1_in1k"  # the second is the first that the page offers


# Stop an import as soon as its bar appears, from within the page: a test that waits for the bar may come too late.
STOP_IN_TIME = """() => {
  const watcher = new MutationObserver(() => {
    const bar = document.querySelector("#models-status progress[value^='0.']");
    if (!bar) return;
    watcher.disconnect();
    document.querySelector("#models-stop").click();
  });
  watcher.observe(document.querySelector("#models-status"), { childList: true, subtree: true, attributes: true });
}"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    toy = tmp_path_factory.mktemp("toy")
    in_layout(toy, "resnet10t", side=56, num_classes=5)  # some seconds for the emoji
    with serving() as server:
        server.add(ENCODER, published(toy))
        server.add(RUN, files_of(ROOT / "checkpoints" / "fashion-simclr"))
        yield server


@pytest.fixture(scope="module")
def environment(hub: Hub, private_cache: Callable[[], str]) -> dict[str, str]:
    return os.environ | {
        "CL_CACHE_DIR": private_cache(),
        "HF_ENDPOINT": hub.endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_TOKEN": WRITER,
    }


def chosen(page: Page) -> str:
    return page.get_by_label("Model", exact=True).first.input_value()


def test_models_come_and_go(wide: BrowserContext, hub: Hub, environment: dict[str, str], tmp_path: Path) -> None:
    problems: list[str] = []
    with running_app(tmp_path / "log", ["app.py"], environment) as url:
        page = wide.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{url}?tab=views")
        page.wait_for_selector(READY["views"])
        open_tab(page, "Models")
        page.wait_for_selector(READY["models"])
        expect(page.locator("#models-list tr", has_text="emoji-simclr").first).to_contain_text("comes with the project")

        screenshot(page, "models")
        page.fill("#models-pull-name input", "someone/nothing")
        page.click("#models-pull")
        expect(page.get_by_text("There is no someone/nothing on the Hub, or it is private")).to_be_visible()
        page.fill("#models-pull-name input", RUN)
        page.click("#models-pull")
        status = page.locator("#models-status")
        expect(page.locator("#models-pull-status")).to_contain_text("is ready and chosen in the menu at the top")
        pulled = f"{RUN}@{hub.repositories[f'models/{RUN}'].resolve('main')[:8]}"
        assert chosen(page) == pulled
        expect(page.locator("#models-list table", has_text=RUN).locator("caption")).to_contain_text(
            "Fashion-MNIST: 2,000 test images"
        )

        page.fill("#models-publish-name input", "someone/again")
        page.click("#models-publish")
        expect(page.locator("#models-publish-status a")).to_have_attribute(
            "href", re.compile(f"^{hub.endpoint}/someone/again/commit/")
        )
        assert hub.files("someone/again")["model.safetensors"] == hub.files(RUN)["model.safetensors"]

        page.evaluate(STOP_IN_TIME)
        page.click("#models-import")
        expect(status).to_contain_text("Stopped. The features so far are saved")
        assert chosen(page) == pulled
        page.click("#models-import")
        expect(status).to_contain_text("resnet18.a1_in1k-emoji is ready and chosen")
        expect(page.locator("#models-list tr", has_text="resnet18.a1_in1k-emoji")).to_contain_text(f"{ENCODER}, mit")
        for view, tab in (("loss", "Loss"), ("temperature", "Temperature"), ("map", "Map")):
            open_tab(page, tab)
            page.wait_for_selector(READY[view])
        open_tab(page, "Curves")
        expect(page.get_by_text("was trained elsewhere, so there are no curves")).to_be_visible()
        page.close()

        # Someone else with the link; what the page says nothing of is the token.
        page = wide.new_page()
        page.goto(f"{url}?tab=search&model=resnet18.a1_in1k-emoji&query=red+apple")
        expect(page.locator("#search-view img").first).to_be_visible()
        assert chosen(page) == "resnet18.a1_in1k-emoji"
        expect(page.get_by_role("heading", name="Raw pixels")).to_be_visible()
        expect(page.get_by_text("Untrained", exact=True)).to_be_hidden()
        assert WRITER not in page.content()
        page.close()
    assert WRITER not in (tmp_path / "log").read_text()
    assert not serious(problems)


def test_a_page_outlives_the_server(wide: BrowserContext, environment: dict[str, str], tmp_path: Path) -> None:
    """A Space that slept, or was built anew, while someone looked at it."""
    port = free_port()
    page = wide.new_page()
    page.set_default_timeout(PATIENCE_MS)
    with running_app(tmp_path / "log", ["app.py"], environment, port) as url:
        page.goto(f"{url}?tab=views")
        page.wait_for_selector(READY["views"])
        open_tab(page, "Loss")
        page.wait_for_selector(READY["loss"])
        page.wait_for_timeout(2000)  # what is under way when a server stops is lost, and Gradio's page waits for it
    with running_app(tmp_path / "log2", ["app.py"], environment, port):
        page.wait_for_timeout(2000)
        menu = page.get_by_label("Model", exact=True).first
        menu.fill("fashion-simclr")
        page.keyboard.press("Enter")
        open_tab(page, "Views")  # its menu of images was changed when the page was opened
        expect(page.locator("#views-view")).to_contain_text("ankle boot")
        open_tab(page, "Map")
        page.wait_for_selector(READY["map"])
        expect(page.get_by_text("is not in the list of choices")).to_have_count(0)
    page.close()
