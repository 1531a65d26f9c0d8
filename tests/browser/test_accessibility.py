"""axe-core finds nothing on any tab, on a phone, a laptop and a large screen; a finger can hit every control.

On the way, the Chinese page is searched for English: each tab is opened once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from cl_core.ui.navigation import FIRST, TABS
from tests.browser.chinese import english
from tests.browser.conftest import PATIENCE_MS, READY, SMALL_TARGETS

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
RUN = "(rules) => axe.run(document, {resultTypes: ['violations'], rules}).then((found) => found.violations)"
SAME_AT_ANY_SIZE = {"color-contrast": {"enabled": False}}  # the rule that takes longest
# Nothing was busy for a while: what is below the first screen is drawn a moment after it.
QUIET_MS, QUIET_AFTER_RESIZE_MS = 1_000, 300
QUIET = """(ms) => new Promise((resolve) => {
  let since = performance.now();
  const look = () => {
    if (document.querySelector("[aria-busy=true]")) since = performance.now();
    if (performance.now() - since > ms) resolve(true);
    else setTimeout(look, 50);
  };
  look();
})"""
PHONE: ViewportSize = {"width": 390, "height": 844}
LAPTOP: ViewportSize = {"width": 1280, "height": 800}
LARGE: ViewportSize = {"width": 1920, "height": 1080}
NARROWEST: ViewportSize = {"width": 360, "height": 740}


@pytest.mark.parametrize(("language", "theme", "sizes"), [("", "light", [PHONE]), ("zh", "dark", [LAPTOP, LARGE])])
def test_no_violations(browser: Browser, app_url: str, language: str, theme: str, sizes: list[ViewportSize]) -> None:
    """One language in one theme each: `benchmarks/explorer.py` goes through all."""
    found = findings(browser, app_url, language, theme, sizes, english if language == "zh" else nothing)
    assert not any(found.values()), found


def nothing(page: Page, tab: str) -> list[str]:
    return []


def findings(
    browser: Browser,
    app_url: str,
    language: str,
    theme: str,
    sizes: Sequence[ViewportSize] = (LAPTOP,),
    also: Callable[[Page, str], list[str]] = nothing,
) -> dict[str, list[str]]:
    """`violations` of every tab at each size; on a phone also what is too small for a finger or wider than the screen.

    also: finds more on a tab that is open.
    """
    touched = PHONE in sizes
    context = browser.new_context(viewport=sizes[0], has_touch=touched, is_mobile=touched, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{app_url}{language}?__theme={theme}&query=dog+face")
    page.wait_for_selector(READY[FIRST], state="attached")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = {}
    for name in TABS:
        found[name] = violations(page, name, sizes) + also(page, name) + (misfits(page) if touched else [])
    context.close()
    return found


def violations(page: Page, tab: str, sizes: Sequence[ViewportSize]) -> list[str]:
    """What axe-core reports once the tab is open, one line an element."""
    page.evaluate("(tab) => contrastiveLink.goTo(tab)", tab)
    page.wait_for_selector(READY[tab])
    listed: list[dict[str, Any]] = []
    for number, size in enumerate(sizes):
        page.set_viewport_size(size)
        page.wait_for_function(QUIET, arg=QUIET_AFTER_RESIZE_MS if number else QUIET_MS)
        listed += page.evaluate(RUN, SAME_AT_ANY_SIZE if number else {})
    return [
        f"{each['impact']} {each['id']}: {node['target']} {node.get('failureSummary', '')[:160]}"
        for each in listed
        for node in each["nodes"]
    ]


def misfits(page: Page) -> list[str]:
    """Controls under 40 pixels, and whether the open tab can be scrolled sideways on the narrowest phone."""
    small: list[str] = page.evaluate(SMALL_TARGETS)
    size = page.viewport_size
    page.set_viewport_size(NARROWEST)
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size(size or NARROWEST)
    return [*small, *([f"{width} px wide"] if width > NARROWEST["width"] else [])]
