"""The embedding map, used as a person would: point, click, lasso, keys, time."""

from __future__ import annotations

import re

import pytest
import torch
from playwright.sync_api import Page, expect

from cl_core.evaluation.neighbors import nearest_others
from cl_core.explore.model import MapLayer
from cl_core.explore.model_store import ModelStore
from tests.browser.conftest import open_tab, screenshot

pytestmark = pytest.mark.opens("map")

STORE = ModelStore()

MODEL = "emoji-simclr"


def point_somewhere(page: Page) -> tuple[float, float]:
    """Move over the map until an image answers."""
    frame = page.locator("#map-view .cl-map")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box
    card = page.locator("#map-view .cl-card")
    for step in range(0, 300, 6):
        x, y = box["x"] + box["width"] * 0.4 + step, box["y"] + box["height"] * 0.45
        page.mouse.move(x, y)
        if card.is_visible():
            return x, y
    raise AssertionError("no image under the pointer")


def chosen(page: Page) -> int:
    expect(page).to_have_url(re.compile(r"[?&]point=\d+"))
    found = re.search(r"[?&]point=(\d+)", page.url)
    assert found
    return int(found[1])


def expected_names(point: int, layer: MapLayer = "feature") -> list[str]:
    data = STORE.get(MODEL).dataset
    features = STORE.get(MODEL).map_features(layer)
    _, positions = nearest_others(features, data.groups[data.on_map], torch.tensor([point]), 8)
    return [data.names[int(data.on_map[i])] for i in (point, *positions[0].tolist())]


def test_arrow_keys_keep_the_point_in_the_frame_of_a_zoomed_map(page: Page) -> None:
    frame = page.locator("#map-view .cl-map")
    frame.press("ArrowDown")
    for _ in range(6):
        frame.press("+")
    seen = set()
    for _ in range(25):
        frame.press("ArrowDown")
        box, card = frame.bounding_box(), page.locator("#map-view .cl-card").bounding_box()
        assert box and card
        assert box["y"] - 1 <= card["y"] <= box["y"] + box["height"] - 12
        seen.add(page.locator("#map-view .cl-root").get_attribute("data-view"))
    assert len(seen) > 1, "it has moved"


def test_escape_drops_the_choice_and_its_neighbors(page: Page) -> None:
    page.mouse.click(*point_somewhere(page))
    chosen(page)
    expect(page.locator("#map-neighbors .cl-caption")).to_have_count(9)
    page.locator("#map-view .cl-map").press("Escape")
    expect(page.locator("#map-neighbors .cl-caption")).to_have_count(0)
    expect(page).not_to_have_url(re.compile(r"[?&]point="))


def test_the_card_stays_at_its_image_while_the_map_is_dragged(page: Page) -> None:
    x, y = point_somewhere(page)
    card = page.locator("#map-view .cl-card")
    before = card.bounding_box()
    page.mouse.down()
    page.mouse.move(x + 60, y + 30, steps=4)
    page.wait_for_function("() => document.querySelector('#map-view .cl-root').dataset.view.endsWith(' 60.0 30.0')")
    after = card.bounding_box()
    page.mouse.up()
    assert before and after
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((60, 30), abs=1)


def test_a_click_shows_the_neighbors_in_the_space_itself(page: Page) -> None:
    page.mouse.click(*point_somewhere(page))
    point = chosen(page)
    names = expected_names(point)
    expect(page.locator("#map-view .cl-card-name")).to_have_text(names[0])
    items = page.locator("#map-neighbors .cl-caption")
    expect(items).to_have_count(9)
    assert [item.inner_text() for item in items.all()] == names
    screenshot(page, "map")
    page.get_by_label("PCA").check()
    expect(page).to_have_url(re.compile("projector=pca"))
    expect(page.get_by_role("button", name="Use it and its neighbors as the batch")).to_be_visible()  # the lines came again
    page.get_by_role("radio", name="Points").check(force=True)
    expect(page).to_have_url(re.compile("points=points"))
    page.reload()
    expect(page.get_by_label("PCA")).to_be_checked()
    expect(page.get_by_role("radio", name="Points")).to_be_checked()
    expect(page.locator("#map-neighbors .cl-caption")).to_have_count(9)
    assert page.locator("#map-neighbors .cl-caption").first.inner_text() == names[0]
    page.get_by_label("Model").click()
    page.get_by_role("option", name="fashion-simclr").click()
    expect(page.locator("#map-neighbors .cl-caption")).to_have_count(0)  # they are of other images


def test_a_lasso_makes_the_batch_of_the_other_views(page: Page) -> None:
    frame = page.locator("#map-view .cl-map")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box
    page.get_by_role("radio", name="Lasso").check(force=True)
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle[0] - 60, middle[1] - 60)
    page.mouse.down()
    for x, y in ((60, -60), (60, 60), (-60, 60)):
        page.mouse.move(middle[0] + x, middle[1] + y, steps=4)
    page.mouse.up()
    expect(page.locator("#map-view .cl-count")).to_contain_text("Selected: ")
    page.get_by_role("button", name=re.compile(r"Use \d+ as the batch")).click()
    expect(page).to_have_url(re.compile("tab=loss"))
    expect(page).to_have_url(re.compile("images=emoji%3A"))
    expect(page.locator("#loss-view .cl-summary")).to_contain_text("images you picked")
    listed = re.search(r"images=emoji%3A([\d%C]+)", page.url)
    assert listed
    rows = [int(row) for row in listed[1].split("%2C")]
    data = STORE.get(MODEL).dataset
    expect(page.locator("#loss-view .cl-which")).to_contain_text(data.names[rows[0]])
    open_tab(page, "Temperature")
    expect(page.locator("#temperature-view .cl-which")).to_contain_text(data.names[rows[0]])
    page.get_by_role("button", name="New batch").click()
    expect(page).not_to_have_url(re.compile("images="))


def test_by_keyboard_and_into_the_search(page: Page) -> None:
    frame = page.locator("#map-view .cl-map")
    frame.focus()
    seen = set()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
        seen.add(page.locator("#map-view .cl-card-name").inner_text())
    assert len(seen) > 1
    page.keyboard.press("Enter")
    name = expected_names(chosen(page))[0]
    expect(frame).to_have_attribute("aria-label", f"At {name}")
    before = page.locator("#map-view .cl-root").get_attribute("data-view")
    page.keyboard.press("+")
    expect(page.locator("#map-view .cl-root")).not_to_have_attribute("data-view", before or "")
    page.keyboard.press("0")
    expect(page.locator("#map-view .cl-root")).to_have_attribute("data-view", "1.000 0.0 0.0")
    expect(page.locator("#map-neighbors .cl-caption")).to_have_count(9)
    page.get_by_role("button", name="Search for this image").click()
    expect(page).to_have_url(re.compile("tab=search"))
    expect(page.locator("#search-view .cl-row")).to_have_count(3)


def test_wheel_and_drag_move_the_plane(page: Page) -> None:
    root, frame = page.locator("#map-view .cl-root"), page.locator("#map-view .cl-map")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.click(box["x"] + 300, box["y"] + 200, button="right")
    page.mouse.move(box["x"] + 340, box["y"] + 240)
    expect(root).to_have_attribute("data-view", "1.000 0.0 0.0")
    assert "point=" not in page.url
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.wheel(0, -400)
    expect(root).to_have_attribute("data-view", re.compile(r"^1\.[5-9]|^2"))
    zoomed = (root.get_attribute("data-view") or "").split()
    page.mouse.down()
    page.mouse.move(box["x"] + 380, box["y"] + 170, steps=5)
    page.mouse.up()
    moved = (root.get_attribute("data-view") or "").split()
    assert float(moved[1]) - float(zoomed[1]) == pytest.approx(80, abs=2)
    assert float(moved[2]) - float(zoomed[2]) == pytest.approx(-30, abs=2)


@pytest.mark.moves
def test_the_time_of_the_training(page: Page) -> None:
    note = page.get_by_text(f"All {len(STORE.get(MODEL).dataset.on_map):,} images at each snapshot")
    expect(note).to_be_hidden()
    page.get_by_role("radio", name="Over time").check(force=True)
    expect(note).to_be_visible()
    said = page.locator("#map-view .cl-epoch")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()  # it plays from the untrained network
    expect(page.locator(".beside[inert]").get_by_label("PCA")).to_have_count(1)  # of the finished map alone
    expect(said).to_have_text("epoch 300")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    cursor = page.locator("#map-view .cl-side .cl-now").first
    end = float(cursor.get_attribute("x1") or 0)
    page.get_by_role("button", name="Previous snapshot").click()
    expect(said).not_to_have_text("epoch 300")
    assert float(cursor.get_attribute("x1") or 0) < end
    scrubber = page.get_by_role("slider", name="Snapshot of the training")
    scrubber.fill("0")
    expect(said).to_have_text("epoch 0.0")
    page.get_by_label("Trails").check()
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(said).not_to_have_text("epoch 0.0")
    page.get_by_role("button", name="Pause").click()
    stopped = said.inner_text()
    page.wait_for_timeout(300)
    assert said.inner_text() == stopped
    screenshot(page, "map-time")
    scrubber.fill("3")
    expect(page).to_have_url(re.compile("snapshot=3"))
    shown = said.inner_text()
    page.reload()
    expect(page.locator("#map-view .cl-epoch")).to_have_text(shown)


def test_what_colors_the_points(page: Page) -> None:
    legend = page.locator("#map-view .cl-legend")
    key = legend.get_by_role("button", name="Flags")
    key.click()
    expect(key).to_have_attribute("aria-pressed", "false")
    page.get_by_role("radio", name="Agreement").check()
    expect(legend).to_contain_text("10 nearest neighbors")
    page.get_by_role("radio", name="Cluster").check()
    expect(legend.get_by_role("button")).to_have_count(10)
    with page.expect_download() as got:
        page.locator("#map-view").get_by_role("button", name="Save its numbers").click()
    rows = got.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert len(rows) == 1 + len(STORE.get(MODEL).dataset.on_map)
