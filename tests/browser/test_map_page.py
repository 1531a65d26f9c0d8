"""The map as a file, opened without a server."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from cl_core.explore.files import save
from cl_core.explore.model_store import ModelStore

DRAWN = """() => {
  const map = document.getElementById("map");
  return map.getContext("2d").getImageData(0, 0, map.width, map.height).data.some(Boolean);
}"""


def test_it_shows_images_and_their_names(browser: Browser, tmp_path: Path) -> None:
    model = ModelStore().get("emoji-simclr")
    file = save(model, "map", tmp_path / "map.html")
    context = browser.new_context(viewport={"width": 800, "height": 600}, offline=True)
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_function(DRAWN)
    about = page.locator("#about").inner_text()
    assert about.startswith("1,911 images of")
    names = set()
    for x in range(200, 600, 20):
        page.mouse.move(x, 320)
        names.add(page.locator("#about").inner_text())
    known = {f"{model.dataset.names[row]} ({model.dataset.label_name(row)})" for row in model.dataset.on_map.tolist()}
    assert len(names & known) > 5 and names <= known | {about}
    before = page.locator("#map").screenshot()
    page.mouse.wheel(0, -600)
    assert page.locator("#map").screenshot() != before
    assert not problems
    context.close()
