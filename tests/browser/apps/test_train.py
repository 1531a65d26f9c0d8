"""Training in the page: begun, left, found again, stopped, gone on with, explored."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from cl_core.runs.folder import RunFolder
from tests.browser.conftest import PATIENCE_MS, free_port, open_tab, running_app, screenshot
from tests.conftest import ROOT

# A link says what to train.
SETTINGS = "train-dataset=digits&train-epochs=24&train-encoder=cnn&train-batch-size=256&train-other=--image-size 16"
LINK = f"?__theme=light&tab=train&{SETTINGS}"
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
    page.get_by_role("button", name="All settings").click()
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
    expect(status).to_contain_text(f"{NAME} is paused at epoch")
    folder = RunFolder(runs / NAME)
    assert folder.read_record().state == "stopped"

    other = narrow.new_page()  # somebody else, on another page in another language
    other.goto(f"{app_url}zh{LINK}&train-method=simsiam")
    other.get_by_role("button", name="全部设置").click()
    expect(other.locator("#train-run input")).to_have_value(NAME)
    expect(other.get_by_label("温度").first).to_be_disabled()  # SimSiam has none
    page.click("#train-resume")
    expect(page.locator("#train-stop")).to_be_enabled()
    other.click("#train-start")
    expect(other.locator("#train-status")).to_contain_text("digits-simsiam-1 正在排队：第 1 个，共 1 个")
    other.click("#train-stop")
    expect(other.locator("#train-status")).to_contain_text("digits-simsiam-1 还没有开始")
    other.click("#train-remove")
    expect(other.locator("#train-run input")).to_have_value(NAME)
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


def test_minutes_set_the_epochs_and_the_table_the_options(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}?tab=train&train-dataset=digits&train-method=moco&train-other=--queue-size 2048")
    minutes = page.locator("#train-minutes input")
    expect(minutes).not_to_have_value("")
    minutes.fill("40")  # far from what the defaults take on any machine
    minutes.press("Enter")
    page.get_by_role("button", name="All settings").click()
    expect(page.get_by_label("Epochs").first).not_to_have_value("14")
    expect(page.locator("#train-plan")).to_contain_text(re.compile(r"About (39|40|41)(\.\d)? min"))
    table, other = page.locator("#train-table"), page.locator("#train-other").get_by_role("textbox")
    queue = table.get_by_label("queue_size")
    expect(queue).to_have_value("2048")
    expect(table.get_by_label("stop_gradient")).to_be_hidden()  # SimSiam's
    queue.fill("512")
    queue.press("Tab")
    expect(other).to_have_value("--queue-size 512")
    table.get_by_label("schedule").select_option("constant")
    expect(other).to_have_value("--queue-size 512 --schedule constant")
    expect(table.locator(".cl-setting-changed .cl-setting-name")).to_have_text(["queue_size", "schedule"])
    queue.fill("0")
    queue.press("Tab")
    expect(page.locator("#train-plan")).to_contain_text("queue_size: input should be greater than or equal to 1")
    queue.fill("1024")  # the default
    queue.press("Tab")
    expect(other).to_have_value("--schedule constant")


def test_a_killed_app_loses_nothing_that_was_saved(
    wide: BrowserContext, private_cache: Callable[[], str], tmp_path: Path
) -> None:
    """The run is found at the restart and resumed by one click; what waited can be started by one click, too."""
    environment = os.environ | {"CL_CACHE_DIR": private_cache(), "CL_RUNS_DIR": str(tmp_path / "runs")}
    link = LINK.replace("train-epochs=24", "train-epochs=400")
    folder, waits = RunFolder(tmp_path / "runs" / NAME), "digits-simclr-2"
    page = wide.new_page()
    page.set_default_timeout(PATIENCE_MS)
    status = page.locator("#train-status")
    with killed_app(tmp_path / "log", environment) as (url, kill):
        page.goto(url + link)
        page.click("#train-start")
        expect(status).to_contain_text("of 400 ·")
        page.click("#train-start")
        expect(status).to_contain_text(f"{waits} waits: number 1 of 1")
        kill()
    deadline = time.monotonic() + 60
    while folder.is_claimed():  # its process saves and ends
        assert time.monotonic() < deadline
        time.sleep(0.1)
    saved = folder.read_record()
    assert saved.state == "stopped" and 0 < folder.read_metrics()[-1]["step"] <= saved.step
    with running_app(tmp_path / "log2", ["app.py"], environment) as url:
        page.goto(f"{url}?tab=train&run={NAME}")
        expect(status).to_contain_text(f"{NAME} is paused at epoch")
        page.click("#train-resume")
        expect(status).to_contain_text("of 400 ·")
        assert folder.read_record().step >= saved.step
        choose_run(page, waits)
        expect(status).to_contain_text(f"{waits} has not started yet")
        page.click("#train-resume")
        expect(status).to_contain_text(f"{waits} waits: number 1 of 1")
        choose_run(page, NAME)
        page.click("#train-stop")
        expect(status).to_contain_text(f"{NAME} is paused at epoch")
        choose_run(page, waits)
        expect(status).to_contain_text("of 400 ·")
        page.click("#train-stop")
        expect(status).to_contain_text(f"{waits} is paused at epoch")
    page.close()


def choose_run(page: Page, name: str) -> None:
    page.locator("#train-run input").fill(name)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"[?&]run={name}(&|$)"))


@contextlib.contextmanager
def killed_app(log: Path, environment: dict[str, str]) -> Iterator[tuple[str, Callable[[], None]]]:
    """An app and a function that kills it, without warning."""
    port = free_port()
    with log.open("w") as output:
        command = [sys.executable, "app.py", "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment)

    def kill() -> None:
        process.kill()
        process.wait()

    try:
        url = f"http://127.0.0.1:{port}/"
        wait_for_answer(url)
        yield url, kill
    finally:
        kill()


def wait_for_answer(url: str) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5)
            return
        time.sleep(0.1)
    raise AssertionError("no answer in 60 s")
