"""axe-core finds nothing serious on any view, in either language and theme."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, expect

from cl_core.ui.navigation import FIRST, TABS
from tests.browser.conftest import PATIENCE_MS, READY

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
RUN = "() => axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)"


@pytest.mark.parametrize(("language", "theme"), [("", "light"), ("zh", "dark")])
def test_nothing_serious(browser: Browser, app_url: str, language: str, theme: str) -> None:
    """One language in one theme each: `benchmarks/explorer.py` goes through all four."""
    found = findings(browser, app_url, language, theme)
    assert not any(found.values()), found


def findings(browser: Browser, app_url: str, language: str, theme: str) -> dict[str, list[str]]:
    """`violations` of every tab."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{app_url}{language}?__theme={theme}")
    page.wait_for_selector(READY[FIRST], state="attached")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = {name: violations(page, name) for name in TABS}
    page.close()
    return found


def violations(page: Page, tab: str) -> list[str]:
    """What axe-core calls serious or critical once the tab is open, one line an element."""
    page.evaluate("(tab) => contrastiveLink.goTo(tab)", tab)
    page.wait_for_selector(READY[tab])
    page.wait_for_timeout(500)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    listed: list[dict[str, Any]] = page.evaluate(RUN)
    return [
        f"{each['impact']} {each['id']}: {node['target']} {node.get('failureSummary', '')[:160]}"
        for each in listed
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
