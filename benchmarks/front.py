"""What a visitor waits for: first paint, tab changes, layout shifts, frames while the map moves, size of targets on a phone.

    python -m benchmarks.front

Starts the app, opens it in a headless browser and prints one JSON line. Headless Chromium draws without a GPU.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import hardware
from cl_core.ui.navigation import TABS
from tests.browser.conftest import FLAGS, READY, SMALL_TARGETS, modules_of, running_app
from tests.browser.install import find_browser

ROUNDS = 5
SHIFTS = """() => {
  globalThis.shifts = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shifts += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
}"""
# Draws a map of `count` images or points, moves it between two layouts for two seconds, and counts frames.
FRAMES = """async ({ modules, count, what }) => {
  const { MapPlane } = await import(modules + "/parts/map_plane.js");
  const { Scope } = await import(modules + "/lib/scope.js");
  const { Sheet } = await import(modules + "/render/sheet.js");
  const { moveScene, snappedScene } = await import(modules + "/lib/scenes.js");
  const frame = document.createElement("div");
  frame.style.cssText = "position:fixed;inset:0;width:1000px;height:500px;z-index:2000;background:#fff";
  document.body.append(frame);
  const scope = new Scope();
  const plane = new MapPlane(scope, () => {});
  plane.node.style.cssText = "width:1000px;height:500px;position:relative";
  frame.append(plane.node);
  const coordinate = () => Math.random() + Math.random() - 1;
  const coordinates = () => Float32Array.from({ length: count }, coordinate);
  const layout = () => ({ xs: coordinates(), ys: coordinates() });
  const layouts = [layout(), layout()];
  let scene = { points: { xs: layouts[0].xs.slice(), ys: layouts[0].ys.slice() }, layouts, extent: { across: 1, down: 1 },
    colors: new Uint32Array(count).fill(0xffaa5500), groups: null, groupNames: [], score: null, low: 0, high: 1, about: "",
    regions: [], side: 0, source: null, moved: 0 };
  plane.measure();
  let snapping = 0;
  if (what === "images") {
    const columns = Math.ceil(Math.sqrt(count));
    const tile = document.createElement("canvas");
    tile.width = tile.height = 40 * columns;
    const pen = tile.getContext("2d");
    for (let i = 0; i < count; i++) {
      pen.fillStyle = `hsl(${(i * 47) % 360} 70% 50%)`;
      pen.fillRect((i % columns) * 40 + 4, Math.floor(i / columns) * 40 + 4, 32, 32);
    }
    const image = await new Promise((resolve) => {
      tile.toBlob((blob) => {
        const found = new Image();
        found.onload = () => resolve(found);
        found.src = URL.createObjectURL(blob);
      });
    });
    const before = performance.now();
    scene = snappedScene(scene, 1000, 500);
    snapping = (performance.now() - before) / 2;
    plane.images = new Sheet(image, columns);
  }
  plane.setScene(scene, false);
  const start = performance.now();
  let [frames, work] = [0, 0];
  await new Promise((resolve) => {
    const step = (time) => {
      const before = performance.now();
      moveScene(scene, 0.5 + 0.5 * Math.sin((time - start) / 300));
      plane.draw();
      work += performance.now() - before;
      frames += 1;
      if (time - start < 2000) requestAnimationFrame(step);
      else resolve();
    };
    requestAnimationFrame(step);
  });
  const seconds = (performance.now() - start) / 1000;
  scope.end();
  frame.remove();
  const [frames_per_s, ms_a_frame] = [Math.round(frames / seconds), Number((work / frames).toFixed(1))];
  return { frames_per_s, ms_a_frame, snap_ms: Math.round(snapping) };
}"""


def first_paint(browser: Browser, url: str) -> float:
    """Milliseconds from the page's first answer to the first drawing of Start, with an empty browser cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(url, wait_until="commit")
    page.wait_for_selector(READY["start"], timeout=60_000)
    found: float = page.evaluate("() => performance.now() - performance.getEntriesByType('navigation')[0].responseStart")
    context.close()
    return found


# The figure of the first screen, where what is below takes longer.
FIGURE = READY | {"compare": "#compare-curves .cl-root[data-drawn]", "words": "#words-neighborhood .cl-root[data-drawn]"}
CLICK = """(tab) => {
  const now = performance.now();
  document.querySelector(`[role=tab][data-tab-id="${tab}"]`).click();
  return now;
}"""


def open_ms(page: Page, tab: str) -> float:
    """Milliseconds from a click on a tab to its figure."""
    started: float = page.evaluate(CLICK, tab)
    page.wait_for_selector(FIGURE[tab], timeout=60_000)
    return float(page.evaluate("() => performance.now()")) - started


def open_page(browser: Browser, url: str, *, read: bool) -> Page:
    """Start, once it is drawn; `read`: and once it came to rest and the chart library was loaded meanwhile."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    page.wait_for_selector(READY["start"])
    if read:
        page.wait_for_function("() => globalThis.Plotly !== undefined", timeout=60_000)
    page.wait_for_timeout(1000)
    return page


def measure(browser: Browser, url: str) -> dict[str, Any]:
    found: dict[str, Any] = {"first_paint_ms": round(statistics.median(first_paint(browser, url) for _ in range(ROUNDS)))}
    page = open_page(browser, url, read=False)
    for tab in TABS:  # what the server computes once
        open_ms(page, tab)
        page.wait_for_timeout(1500)
    page.close()
    tabs: dict[str, list[float]] = {tab: [] for tab in TABS[1:]}
    shifts: dict[str, float] = {}
    for _ in range(3):
        page = open_page(browser, url, read=True)
        page.evaluate(SHIFTS)
        for tab in TABS[1:]:
            before = page.evaluate("() => globalThis.shifts")
            tabs[tab].append(open_ms(page, tab))
            page.wait_for_timeout(1500)  # what is below the first screen comes later
            page.wait_for_function("() => !document.querySelector('[aria-busy=true]')", timeout=60_000)
            shifts[tab] = max(shifts.get(tab, 0), page.evaluate("() => globalThis.shifts") - before)
        page.close()
    page = open_page(browser, url, read=False)
    found["first_chart_at_once_ms"] = round(open_ms(page, "curves"))
    page.close()
    found["tab_ms"] = {tab: round(statistics.median(values)) for tab, values in tabs.items()}
    found["layout_shift"] = {tab: round(value, 3) for tab, value in shifts.items()}
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{url}?tab=map")
    page.wait_for_selector(READY["map"])
    page.wait_for_timeout(3000)
    found["moving"] = {
        f"{count} {what}": page.evaluate(FRAMES, {"modules": modules_of(page), "count": count, "what": what})
        for count, what in ((2000, "images"), (10_000, "images"), (100_000, "points"), (1_000_000, "points"))
    }
    page.close()
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = phone.new_page()
    small: dict[str, list[str]] = {}
    for tab in TABS:
        page.goto(f"{url}?tab={tab}")
        page.wait_for_selector(READY[tab], timeout=60_000)
        page.wait_for_timeout(500)
        small[tab] = page.evaluate(SMALL_TARGETS)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
    phone.close()
    found["small_targets"] = {tab: len(nodes) for tab, nodes in small.items()}
    found["examples_of_small_targets"] = sorted({node for nodes in small.values() for node in nodes})[:60]
    return found


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(Path(folder) / "log", ["app.py"], dict(os.environ)) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        print(json.dumps({**hardware.describe(), **measure(browser, url)}))
        browser.close()


if __name__ == "__main__":
    main()
