"""Training in the page: begun, left, found again, stopped, gone on with, explored."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from cl_core.runs.folder import RunFolder
from tests.browser.conftest import PATIENCE_MS, open_tab, screenshot

# A link says what to train.
LINK = "?__theme=light&tab=train&train-dataset=digits&train-epochs=24&train-encoder=cnn&train-other=--image-size 16"
NAME = "digits-simclr-1"


@pytest.fixture
def runs(app_runs: Path) -> Iterator[Path]:
    """Where the app keeps its runs; what a test trains is no other test's."""
    yield app_runs
    shutil.rmtree(app_runs)


def test_a_run_of_ones_own(page: Page, narrow: BrowserContext, app_url: str, runs: Path) -> None:
    page.goto(app_url + LINK)
    status = page.locator("#train-status")
    expect(status).to_contain_text("Nothing was trained here yet")
    expect(page.locator("#train-stop")).to_be_disabled()
    page.get_by_label("Learning rate").first.fill("-1")
    expect(page.locator("#train-plan")).to_contain_text("lr: input should be greater than 0, but it was -1")
    page.click("#train-start")
    expect(page.get_by_text("lr: input should be greater than 0, but it was -1")).to_have_count(2)
    page.get_by_label("Learning rate").first.fill("0.002")
    expect(page.locator("#train-plan")).to_contain_text("min on this machine")
    page.click("#train-start")
    expect(status).to_contain_text("of 24 ·")
    expect(page.locator("#train-curves .js-plotly-plot").first).to_be_visible()
    page.click("#train-stop")
    expect(status).to_contain_text(f"{NAME} stopped at epoch")
    folder = RunFolder(runs / NAME)
    assert folder.read_record().state == "stopped"

    other = narrow.new_page()  # somebody else, on another page in another language
    other.goto(f"{app_url}zh{LINK}&train-method=simsiam")
    expect(other.locator("#train-run input")).to_have_value(NAME)
    expect(other.get_by_label("温度").first).to_be_disabled()  # SimSiam has none
    page.click("#train-resume")
    expect(page.locator("#train-stop")).to_be_enabled()
    other.click("#train-start")
    expect(other.get_by_text(f"正在训练 {NAME}")).to_be_visible()
    other.close()

    page.reload()  # it goes on without anybody watching
    expect(page.locator("#train-run input")).to_have_value(NAME)
    expect(status).to_contain_text(f"{NAME} is finished: 24 epochs", timeout=2 * PATIENCE_MS)
    screenshot(page, "train")
    with page.expect_download() as download:
        page.click("#train-download")
    assert zipfile.is_zipfile(download.value.path())
    page.click("#train-use")
    expect(page.get_by_label("Model").first).to_have_value(NAME)
    open_tab(page, "Views")
    expect(page.locator("#views-view img").first).to_be_visible()
    open_tab(page, "Models")
    expect(page.locator("#models-list tr", has_text=NAME)).to_contain_text("trained here")
    open_tab(page, "Train")
    page.click("#train-remove")
    expect(page.locator("#train-run input")).not_to_have_value(NAME)
    assert not folder.exists()
    page.click("#train-undo")
    expect(page.locator("#train-run input")).to_have_value(NAME)
    expect(status).to_contain_text(f"{NAME} is finished")
    assert folder.read_record().state == "finished"
