"""Training in the page: begun, left, found again, stopped, gone on with, explored."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, expect

from cl_core.training.run_folder import RunFolder
from tests.browser.conftest import PATIENCE_MS, open_tab, running_app, screenshot, serious

# A link says what to train.
LINK = "?__theme=light&tab=train&train-dataset=digits&train-epochs=12&train-other=--image-size 16"
NAME = "digits-simclr-1"


def test_a_run_of_ones_own(
    tmp_path: Path, wide: BrowserContext, narrow: BrowserContext, private_cache: Callable[[], str]
) -> None:
    problems: list[str] = []
    environment = os.environ | {"CL_CACHE_DIR": private_cache(), "CL_RUNS_DIR": str(tmp_path / "runs")}
    with running_app(tmp_path / "log", ["app.py"], environment) as url:
        page = wide.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(url + LINK)
        status = page.locator("#train-status")
        expect(status).to_contain_text("Nothing was trained here yet")
        expect(page.locator("#train-stop")).to_be_disabled()
        page.get_by_label("Learning rate").first.fill("-1")
        page.click("#train-begin")
        expect(page.get_by_text("lr: input should be greater than 0, but it was -1")).to_be_visible()
        page.get_by_label("Learning rate").first.fill("0.002")
        page.click("#train-begin")
        expect(status).to_contain_text("of 12 ·")
        expect(page.locator("#train-curves .js-plotly-plot").first).to_be_visible()
        page.click("#train-stop")
        expect(status).to_contain_text(f"{NAME} is stopped at epoch")
        folder = RunFolder(tmp_path / "runs" / NAME)
        assert folder.read_record().state == "stopped"

        other = narrow.new_page()  # somebody else, on another page in another language
        other.on("pageerror", lambda error: problems.append(str(error)))
        other.goto(f"{url}zh{LINK}&train-method=simsiam")
        expect(other.locator("#train-run input")).to_have_value(NAME)
        expect(other.get_by_label("温度").first).to_be_disabled()  # SimSiam has none
        page.click("#train-go-on")
        expect(page.locator("#train-stop")).to_be_enabled()
        other.click("#train-begin")
        expect(other.get_by_text(f"正在训练 {NAME}")).to_be_visible()
        other.close()

        page.reload()  # it goes on without anybody watching
        expect(page.locator("#train-run input")).to_have_value(NAME)
        screenshot(page, "train")
        expect(status).to_contain_text(f"{NAME} is finished: 12 epochs", timeout=2 * PATIENCE_MS)
        with page.expect_download() as download:
            page.click("#train-take")
        assert zipfile.is_zipfile(download.value.path())
        page.click("#train-use")
        expect(page.get_by_label("Model").first).to_have_value(NAME)
        open_tab(page, "Views")
        expect(page.locator("#pairs-view img").first).to_be_visible()
        open_tab(page, "Models")
        expect(page.locator("#models-list tr", has_text=NAME)).to_contain_text("trained here")
        page.close()
    assert not serious(problems)
