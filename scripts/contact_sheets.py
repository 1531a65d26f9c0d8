"""Draw every tab in three widths, both themes and both languages, and put them on sheets to look at.

    python scripts/contact_sheets.py FOLDER [--url http://127.0.0.1:7860]

Without --url the app is started first. One sheet a width, theme and language: the first screen of every tab.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cl_core.ui.navigation import TABS
from tests.browser.conftest import FLAGS, READY, running_app
from tests.browser.install import find_browser

SIZES = {"phone": (390, 844), "laptop": (1280, 800), "wide": (1920, 1080)}
COLUMNS = 4
TILE = {"phone": 220, "laptop": 460, "wide": 460}  # width on the sheet, pixels
STATES = {"search": "&query=dog+face"}
SETTLED_MS = 900


def screens(browser: Browser, url: str, size: str, theme: str, language: str) -> Iterator[Image.Image]:
    """The first screen of every tab."""
    width, height = SIZES[size]
    touched = size == "phone"
    context = browser.new_context(
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        has_touch=touched,
        is_mobile=touched,
        locale="zh-CN" if language == "zh" else "en",
    )
    for tab in TABS:
        page = context.new_page()
        page.goto(f"{url}{language}?__theme={theme}&tab={tab}{STATES.get(tab, '')}")
        page.wait_for_selector(READY[tab], timeout=120_000)
        page.wait_for_timeout(SETTLED_MS)
        yield Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        page.close()
    context.close()


def sheet(tiles: list[Image.Image], width: int) -> Image.Image:
    """Tiles in rows of `COLUMNS`."""
    small = [tile.resize((width, round(tile.height * width / tile.width)), Image.Resampling.LANCZOS) for tile in tiles]
    height, gap = small[0].height, 8
    rows = -(-len(small) // COLUMNS)
    whole = Image.new("RGB", (COLUMNS * (width + gap) + gap, rows * (height + gap) + gap), "#808080")
    for i, tile in enumerate(small):
        whole.paste(tile, (gap + i % COLUMNS * (width + gap), gap + i // COLUMNS * (height + gap)))
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", default="", help="of an app that runs")
    parser.add_argument("--only", nargs="*", default=[], help="parts of names, such as laptop-light-en")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        url = arguments.url or stack.enter_context(running_app(Path(tempfile.mkdtemp()) / "log", ["app.py"], dict(os.environ)))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        for size in SIZES:
            for theme in ("light", "dark"):
                for language in ("en", "zh"):
                    name = f"{size}-{theme}-{language}"
                    if arguments.only and not any(each in name for each in arguments.only):
                        continue
                    tiles = list(screens(browser, url, size, theme, "" if language == "en" else language))
                    sheet(tiles, TILE[size]).save(arguments.folder / f"{name}.webp", quality=45, method=6)
                    print(name, flush=True)
        browser.close()


if __name__ == "__main__":
    main()
