"""What a tab or a component needed is given back when it closes."""

from __future__ import annotations

import pytest
from playwright.sync_api import CDPSession, Page

from cl_core.ui.modules import module_url
from tests.browser.conftest import READY, open_tab

CYCLES = 10
POINTS = "AACAPwAAgD8AAIA/"  # (3, 2) int16
VALUES = {
    "embedding_map": {
        "name": "toy", "label": "toy", "count": 3, "points": POINTS, "groups": "AAABAAIA", "groupNames": ["a", "b", "c"],
        "score": None, "batch": [0], "snapshots": None, "regions": [{"point": 0, "name": "a"}], "note": "",
        "names": 'data:application/json,["a","b","c"]',
    },
    "twin_maps": {
        "maps": [{"name": "x", "points": POINTS}, {"name": "y", "points": POINTS}], "count": 3, "groups": "AAABAAIA",
        "groupNames": ["a", "b", "c"], "names": 'data:application/json,["a","b","c"]',
    },
    "image_rows": {"rows": [{"title": "t", "items": [{"src": "data:,", "caption": "c"}]}]},
}  # fmt: skip
# Mounts a component in a new element, moves over it, and takes the element out of the page; gives weak references to all.
MOUNT = """async ({ url, value, cycles }) => {
  const { mount } = await import(url);
  const canvas = Object.assign(document.createElement("canvas"), { width: 24, height: 8 });
  const sprites = { url: canvas.toDataURL(), columns: 3, count: 3, ground: "" };
  const named = new Proxy({}, { get: (_, name) => String(name) });
  globalThis.references = [];
  for (let i = 0; i < cycles; i += 1) {
    const element = document.createElement("div");
    element.innerHTML = '<div class="cl-root" style="width: 400px"></div>';
    document.body.append(element);
    const props = { value: { ...value, sprites }, strings: named, save: named, lines: null };
    mount({ element, props, trigger: () => {}, watch: () => {} });
    await new Promise((resolve) => setTimeout(resolve, 60));
    for (const node of element.querySelectorAll("*")) {
      node.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 50, clientY: 50 }));
    }
    globalThis.references.push(new WeakRef(element));
    element.remove();
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}"""
ALIVE = "() => globalThis.references.filter((each) => each.deref()).length"


def devtools_of(page: Page) -> CDPSession:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    return session


def counts(session: CDPSession) -> dict[str, float]:
    """Elements and listeners of the page, garbage not counted."""
    for _ in range(2):
        session.send("HeapProfiler.collectGarbage")
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return {name: metrics[name] for name in ("Nodes", "JSEventListeners", "JSHeapUsedSize")}


@pytest.mark.opens("map")
def test_opening_and_closing_tabs_leaves_nothing_behind(page: Page) -> None:
    devtools = devtools_of(page)

    def cycle() -> None:
        for name, tab in (("map", "Map"), ("loss", "Loss")):
            open_tab(page, tab)
            page.wait_for_selector(READY[name])
            page.wait_for_timeout(300)

    for _ in range(2):
        cycle()
    before = counts(devtools)
    for _ in range(CYCLES):
        cycle()
    after = counts(devtools)
    assert after["Nodes"] <= before["Nodes"] + 50, (before, after)
    assert after["JSEventListeners"] <= before["JSEventListeners"] + 20, (before, after)
    assert after["JSHeapUsedSize"] <= before["JSHeapUsedSize"] + 3e6, (before, after)


@pytest.mark.parametrize("name", VALUES)
def test_a_component_that_leaves_the_page_is_freed(modules: Page, name: str) -> None:
    modules.evaluate(MOUNT, {"url": module_url(name), "value": VALUES[name], "cycles": CYCLES})
    counts(devtools_of(modules))
    assert modules.evaluate(ALIVE) == 0
