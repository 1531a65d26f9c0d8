"""How fast the app is: start, search, and a slider's effect on the screen.

    python -m benchmarks.app_speed

Each figure is the median of several tries; the start is a ratio to the imports it cannot do without,
measured in turn with it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from cl_core.explore.model_store import ModelStore
from cl_core.ui.images import to_image
from cl_core.ui.tabs import search
from tests.browser.conftest import FLAGS, free_port
from tests.browser.install import find_browser
from tests.conftest import ROOT

STARTS, SEARCHES, SLIDES = 5, 30, 25
IMPORTS = "import torch, torchvision, gradio"
# Milliseconds from the input event to the frame in which the element has changed.
SLIDE = """([input, watched, value]) => new Promise((resolve) => {
  const slider = document.querySelector(input);
  let began;
  const watcher = new MutationObserver(() => {
    watcher.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - began)));
  });
  watcher.observe(document.querySelector(watched), {attributes: true, childList: true, subtree: true});
  began = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event("input", {bubbles: true}));
  slider.dispatchEvent(new Event("change", {bubbles: true}));
})"""


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def start_app() -> tuple[subprocess.Popen[bytes], str]:
    """Start the app; returns once it has answered 200."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    while True:
        try:
            urllib.request.urlopen(url, timeout=5)
            return process, url
        except OSError:
            if process.poll() is not None:
                raise SystemExit("the app did not start") from None
            time.sleep(0.02)


def measure_start() -> dict[str, float]:
    imports, starts = [], []
    for _ in range(STARTS):
        imports.append(seconds(lambda: subprocess.run([sys.executable, "-c", IMPORTS], check=True)))
        began = time.perf_counter()
        process, _ = start_app()
        starts.append(time.perf_counter() - began)
        process.terminate()
        process.wait()
    ratio = statistics.median(starts) / statistics.median(imports)
    return {"imports_s": statistics.median(imports), "first_200_s": statistics.median(starts), "ratio": ratio}


def measure_search() -> dict[str, float]:
    """One uploaded image among the emoji: by the trained network alone, and the whole view (three spaces)."""
    model = ModelStore().get("emoji-simclr")
    data, gallery = model.dataset, model.gallery()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "query.png"
        to_image(data.images[100]).resize((160, 160)).save(file)
        query = data.images[100:101]
        search.show(model, str(file), None)
        alone = [seconds(lambda: gallery.search(gallery.embedder(query), 8)) for _ in range(SEARCHES)]
        view = [seconds(lambda: search.show(model, str(file), None)) for _ in range(SEARCHES)]
    return {"search_ms": 1000 * statistics.median(alone), "search_view_ms": 1000 * statistics.median(view)}


def slide(page: Page, slider: str, watched: str, values: list[float]) -> float:
    times = []
    for value in values:
        times.append(page.evaluate(SLIDE, [slider, watched, value]))
        page.wait_for_timeout(250)
    return statistics.median(times)


def measure_sliders() -> dict[str, float]:
    process, url = start_app()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(60_000)
            page.goto(f"{url}?tab=views")
            page.wait_for_selector("#views-view img")
            page.wait_for_timeout(60_000)  # the app opens its galleries in the background
            shares = [0.1 + 0.05 * (i % 15) for i in range(SLIDES)]
            pairs = slide(page, "#views-crop input[type=range]", "#views-view .cl-root", shares)
            browser.close()
    finally:
        process.terminate()
        process.wait()
    return {"pairs_slider_ms": pairs}


def main() -> None:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    figures = {**measure_search(), **measure_start(), **measure_sliders()}
    print(json.dumps({name: round(value, 3) for name, value in figures.items()} | {"cores": os.cpu_count()}, indent=2))


if __name__ == "__main__":
    main()
