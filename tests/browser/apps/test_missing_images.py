"""Without CIFAR-10 the app says how to get it, gets it at a click, and its models join the menu."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import open_tab, running_app
from tests.conftest import ROOT
from tests.data.cifar import served

# The app as it is, only that torchvision asks loopback for the archive, which has a hundredth of the images.
STARTED = (
    "import json, sys; from torchvision.datasets import CIFAR10 as C; from cl_core.data.dataset import PUBLIC_SIZES; {settings}; "
    "PUBLIC_SIZES['cifar10'] = (500, 100); import app; sys.exit(app.main())"
)


@pytest.fixture
def archive_and_url(tmp_path: Path, private_cache: Callable[[], str]) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "server"
    folder.mkdir()
    with served(folder, [[*range(10)] * 10] * 5, [*range(10)] * 10) as (archive, settings):
        told = "; ".join(f"C.{name} = json.loads({json.dumps(value)!r})" for name, value in settings)
        environment = os.environ | {"CL_CACHE_DIR": private_cache(), "PYTHONPATH": str(ROOT)}
        with running_app(tmp_path / "log", ["-c", STARTED.format(settings=told)], environment) as url:
            yield archive, url


def choices(page: Page) -> list[str]:
    page.get_by_label("Model", exact=True).first.click()
    expect(page.get_by_role("option").first).to_be_visible()
    found = page.get_by_role("option").all_inner_texts()
    page.keyboard.press("Escape")
    return [name.replace("✓", "").strip() for name in found]


def test_cifar10_is_fetched_at_a_click(browser: Browser, archive_and_url: tuple[Path, str]) -> None:
    archive, url = archive_and_url
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(url)
    note = page.get_by_text("need its images, which are not on this machine")
    expect(page.locator("#start-view .cl-drift")).to_be_visible()  # everything else works
    expect(note).to_be_hidden()
    open_tab(page, "Models")  # where one picks a model
    expect(note).to_be_visible()
    assert not [name for name in choices(page) if name.startswith("cifar10")]

    hidden = archive.rename(archive.with_suffix(".away"))
    button = page.get_by_role("button", name="Get CIFAR-10 (170 MB)")
    button.click()
    expect(page.get_by_text("CIFAR-10 could not be downloaded (File not found)")).to_be_visible()
    expect(note).to_be_visible()

    hidden.rename(archive)
    button.click()
    expect(page.get_by_text("CIFAR-10 is ready: its models, such as cifar10-simclr")).to_be_visible()
    expect(note).to_be_hidden()
    assert "cifar10-simclr" in choices(page)
    page.get_by_label("Model", exact=True).first.fill("cifar10-simclr")
    page.keyboard.press("Enter")
    open_tab(page, "Views")
    expect(page.get_by_text("airplane", exact=True).first).to_be_visible()

    other = browser.new_page(reduced_motion="reduce")
    other.goto(url)
    expect(other.locator("#start-view .cl-drift")).to_be_visible()
    open_tab(other, "Models")
    assert "cifar10-simclr" in choices(other)
    expect(other.locator("#models-list table").first).to_be_visible()
    expect(other.get_by_text("need its images")).to_be_hidden()
    page.close()
    other.close()
    assert errors == []
