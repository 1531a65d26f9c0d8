"""How the app feels in a browser: sliders, hovering, maps of 10,000 and 100,000 points, what crosses the wire, axe-core.

    python -m benchmarks.explorer [--json FILE] [--skip-axe]

In headless Chromium without a GPU, which draws everything on the processor: a browser with one is quicker. Input comes
from the browser's own input pipeline (mouse moves and drags), and a time ends after the frame that shows its effect was
painted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import hardware
from cl_core.explore.model_store import ModelStore
from cl_core.system.files import write_json
from cl_core.ui.packing import packed
from cl_core.ui.tabs import map
from tests.browser.conftest import FLAGS, free_port, running_app
from tests.browser.install import find_browser
from tests.browser.test_accessibility import findings

STORE = ModelStore()

LARGE, HUGE = 10_000, 100_000
MOVES, FRAMES = 80, 60

# Keeps the milliseconds from each event to the end of the painting that follows it.
WATCH = """([selector, kind]) => {
  window.measured = [];
  const target = document.querySelector(selector);
  target.addEventListener(kind, (event) => {
    const began = event.timeStamp;
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => window.measured.push(performance.now() - began);
      channel.port2.postMessage(0);
    });
  }, true);
}"""
# Zooms and pans a frame at a time; gives milliseconds a frame.
ANIMATE = """([selector, frames]) => new Promise((done) => {
  const map = document.querySelector(selector);
  const box = map.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const times = [];
  let before = null, n = 0;
  const at = (type, dx, dy) => map.dispatchEvent(new PointerEvent(type,
    {clientX: x + dx, clientY: y + dy, pointerId: 1, bubbles: true}));
  const turn = (delta) => map.dispatchEvent(new WheelEvent("wheel", {deltaY: delta, clientX: x, clientY: y, cancelable: true}));
  map.setPointerCapture = () => {};
  const step = (now) => {
    if (before !== null) times.push(now - before);
    before = now;
    if (n === frames) { at("pointerup", 200, 0); done(times); return; }
    if (n < frames / 2) turn(n % 20 < 10 ? -60 : 60);
    else { if (n === frames / 2) at("pointerdown", 0, 0); at("pointermove", 6 * (n - frames / 2), 3 * (n - frames / 2)); }
    n += 1;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""


def quantiles(times: list[float]) -> dict[str, float]:
    """Median and 95th percentile, milliseconds."""
    ordered = sorted(times)
    return {"median_ms": statistics.median(ordered), "p95_ms": ordered[int(0.95 * (len(ordered) - 1))], "of": len(ordered)}


def watched(page: Page, selector: str, kind: str, moves: list[tuple[float, float]], drag: bool = False) -> dict[str, float]:
    """Move the mouse along `moves` and time what follows each event `kind` at `selector`."""
    page.mouse.move(*moves[0])
    page.evaluate(WATCH, [selector, kind])
    if drag:
        page.mouse.down()
    for move in moves:
        page.mouse.move(*move)
        page.wait_for_timeout(30)
    if drag:
        page.mouse.up()
    page.wait_for_timeout(200)
    return quantiles(page.evaluate("window.measured"))


def measure_laboratory(browser: Browser, url: str) -> dict[str, Any]:
    """The temperature slider on 64 x 64 cosines, and pointing at cells of the loss loss_microscope."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{url}?tab=temperature")
    page.wait_for_selector("#temperature-view .cl-root[data-curves]")
    page.wait_for_timeout(1500)
    slider = "#temperature-view input[type=range]"
    page.locator(slider).scroll_into_view_if_needed()
    box = page.locator(slider).bounding_box()
    assert box
    xs = np.linspace(0.05, 0.95, MOVES) * box["width"] + box["x"]
    found = {"slider": watched(page, slider, "input", [(float(x), box["y"] + box["height"] / 2) for x in xs], drag=True)}
    page.goto(f"{url}?tab=loss&count=32")
    page.wait_for_selector("#loss-view .cl-root[data-drawn]")
    page.wait_for_timeout(1500)
    frame = page.locator("#loss-view .cl-frame").nth(1)
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box
    shares = [0.1 + 0.8 * i / MOVES for i in range(MOVES)]
    way = [(box["x"] + box["width"] * share, box["y"] + box["width"] * (0.15 + 0.7 * share)) for share in shares]
    found["hover"] = watched(page, "#loss-view", "pointermove", way)
    page.close()
    found["floor"] = measure_floor(browser, way)
    return found


# A box that follows the pointer, and nothing else.
BOX = """() => {
  const box = document.body.appendChild(document.createElement("div"));
  const style = {position: "fixed", left: 0, top: 0, width: "20px", height: "20px", background: "red", pointerEvents: "none"};
  Object.assign(box.style, style, {willChange: "transform"});
  document.body.addEventListener("pointermove", (event) => {
    box.style.transform = `translate(${event.clientX}px,${event.clientY}px)`;
  });
}"""


def measure_floor(browser: Browser, way: list[tuple[float, float]]) -> dict[str, float]:
    """What pointing costs on any page of Gradio: it asks for every frame, so an event waits for the next one."""
    with gr.Blocks(analytics_enabled=False) as app:
        gr.Markdown("nothing")
    with served(browser, app, []) as page:
        page.wait_for_timeout(1500)
        page.evaluate(BOX)
        return watched(page, "body", "pointermove", way)


def synthetic(count: int, folder: Path) -> dict[str, Any]:
    """A map's value for `count` points in ten blobs, with a sheet of as many images."""
    from PIL import Image

    generator = torch.Generator().manual_seed(0)
    groups = torch.randint(0, 10, (count,), generator=generator)
    centers = torch.rand(10, 2, generator=generator) * 2 - 1
    points = (centers[groups] + 0.12 * torch.randn(count, 2, generator=generator)).clamp(-1.3, 1.3) / 1.3
    columns = int(np.ceil(np.sqrt(count)))
    side = min(40, int(np.sqrt(20e6 / count)))
    noise = np.random.default_rng(0).integers(0, 255, (columns, columns, 3), dtype=np.uint8)
    sheet = folder / f"sheet-{count}.webp"
    Image.fromarray(noise).resize((columns * side, columns * side), Image.Resampling.NEAREST).save(sheet, quality=60)
    names = folder / f"names-{count}.json"
    names.write_text(json.dumps([f"image {i}" for i in range(count)]))
    return {
        "name": f"synthetic-{count}",
        "label": f"{count} points",
        "count": count,
        "points": packed((points * 32767).round(), np.int16),
        "groups": packed(groups, np.uint16),
        "groupNames": [f"group {i}" for i in range(10)],
        "score": None,
        "sprites": {"url": f"/gradio_api/file={sheet}", "columns": columns, "count": count},
        "names": f"/gradio_api/file={names}",
        "batch": [],
        "moments": None,
    }


@contextlib.contextmanager
def served(browser: Browser, app: gr.Blocks, allowed_paths: list[str]) -> Iterator[Page]:
    """A page of `app`, served as ours is."""
    from cl_core.ui.build import launch_options

    port = free_port()
    options = launch_options() | {"allowed_paths": allowed_paths, "server_port": port, "quiet": True, "prevent_thread_lock": True}
    threading.Thread(target=lambda: app.launch(**options), daemon=True).start()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    for _ in range(100):
        with contextlib.suppress(Exception):
            page.goto(f"http://127.0.0.1:{port}/")
            break
        time.sleep(0.2)
    yield page
    page.close()
    app.close()


@contextlib.contextmanager
def map_page(browser: Browser, count: int) -> Iterator[tuple[Page, int]]:
    """A page with nothing but a map and a button that fills it; and how many bytes of answer that takes."""
    from cl_core.text import texts
    from cl_core.ui.components import embedding_map

    with tempfile.TemporaryDirectory() as folder:
        value = synthetic(count, Path(folder))
        with gr.Blocks(analytics_enabled=False) as app:
            fill = gr.Button("fill")
            view = embedding_map(texts("map.view"), elem_id="map-view")
            fill.click(lambda: value, None, view, queue=False, show_progress="hidden")
        with served(browser, app, [folder]) as page:
            page.wait_for_selector("#map-view .cl-root", state="attached")
            yield page, len(json.dumps(value))


PAINT = """() => new Promise((done) => {
  const root = document.querySelector("#map-view .cl-root");
  const watcher = new MutationObserver(() => {
    if (!root.dataset.drawn) return;
    watcher.disconnect();
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        const answer = performance.getEntriesByType("resource").filter((each) => each.name.includes("predict")).at(-1);
        done(performance.now() - answer.responseEnd);
      };
      channel.port2.postMessage(0);
    });
  });
  watcher.observe(root, {attributes: true});
  [...document.querySelectorAll("button")].find((each) => each.textContent.includes("fill")).click();
})"""


def measure_map(browser: Browser, count: int) -> dict[str, Any]:
    """First paint after the data, frames while zooming and panning, pointing at images."""
    with map_page(browser, count) as (page, sent):
        page.wait_for_timeout(1000)
        found: dict[str, Any] = {"points": count, "answer_bytes": sent, "first_paint_ms": page.evaluate(PAINT)}
        page.wait_for_selector("#map-view .cl-root[data-images]")
        page.wait_for_timeout(500)
        times = page.evaluate(ANIMATE, ["#map-view .cl-map", FRAMES])
        found["frames_a_second"] = 1000 / statistics.mean(times)
        found["frame"] = quantiles(times)
        page.get_by_role("button", name="Show everything").click()
        frame = page.locator("#map-view .cl-map")
        frame.scroll_into_view_if_needed()
        box = frame.bounding_box()
        assert box
        way = [(box["x"] + box["width"] * (0.3 + 0.4 * i / MOVES), box["y"] + box["height"] * 0.5) for i in range(MOVES)]
        found["hover"] = watched(page, "#map-view .cl-map", "pointermove", way)
        assert page.locator("#map-view .cl-card canvas").count(), "no image under the pointer"
        return found


def measure_wire() -> dict[str, int]:
    """Bytes of the answer that fills a map, the snapshots included, without thumbnails and names, by checkpoint."""
    names = [name for name in ("emoji-simclr", "cifar10-simclr") if name in STORE.names()]
    return {name: len(json.dumps(map.show(STORE.get(name), "tsne", "feature", "class", ""))) for name in names}


def measure_axe(browser: Browser, url: str) -> dict[str, int]:
    """Serious and critical findings on every view, in both languages and themes."""
    return {
        f"{language or 'en'} {theme} {tab}": len(found)
        for language in ("", "zh")
        for theme in ("light", "dark")
        for tab, found in findings(browser, url, language, theme).items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--skip-axe", action="store_true")
    arguments = parser.parse_args()
    environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "False"}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        made_on = hardware.describe() | {"browser": f"Chromium {browser.version}, headless, no GPU"}
        maps = [measure_map(browser, count) for count in (LARGE, HUGE)]
        with running_app(Path(folder) / "log", ["app.py"], environment) as url:
            found = {
                "hardware": made_on,
                **measure_laboratory(browser, url),
                "maps": maps,
                "wire_bytes": measure_wire(),
                "axe": {} if arguments.skip_axe else measure_axe(browser, url),
            }
        browser.close()
    print(json.dumps(found, indent=2))
    if arguments.json:
        write_json(arguments.json, found)


if __name__ == "__main__":
    main()
