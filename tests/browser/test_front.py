"""What a visitor sees first: one line of header, the figure on the first screen, explanations that stay folded."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import READY, open_tab

LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def test_the_header_is_one_line(page: Page) -> None:
    page.set_viewport_size(LAPTOP)
    box = page.locator(".header").bounding_box()
    assert box and box["height"] <= 56
    for part in page.locator(".header > *").all():
        inner = part.bounding_box()
        assert inner and box["y"] <= inner["y"] and inner["y"] + inner["height"] <= box["y"] + box["height"]


@pytest.mark.parametrize(
    ("tab", "figure"), [("Views", "#views-view img"), ("Loss", "#loss-view .cl-frame"), ("Map", "#map-view .cl-map")]
)
def test_the_figure_is_whole_on_the_first_screen(page: Page, tab: str, figure: str) -> None:
    """With the control that changes it beside it; the explanation is open."""
    page.set_viewport_size(LAPTOP)
    open_tab(page, tab)
    page.wait_for_selector(READY[tab.lower()])
    expect(page.locator("details[data-fold]:visible").first).to_have_attribute("open", "")
    for part in page.locator(figure).all():
        box = part.bounding_box()
        assert box and box["y"] + box["height"] <= LAPTOP["height"]
    control = page.get_by_label({"Views": "Image", "Loss": "Temperature t", "Map": "t-SNE"}[tab]).first.bounding_box()
    assert control and control["y"] + control["height"] <= LAPTOP["height"]


def test_on_a_phone_the_buttons_stand_beside_the_title(phone: Page) -> None:
    phone.set_viewport_size(PHONE)
    title, switch = phone.locator(".header h1").bounding_box(), phone.get_by_role("button", name="Light / dark").bounding_box()
    assert title and switch and abs(title["y"] + title["height"] / 2 - switch["y"] - switch["height"] / 2) < 12
    assert switch["width"] >= 40 and switch["height"] >= 40
    assert phone.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_a_folded_explanation_stays_folded(page: Page) -> None:
    open_tab(page, "Loss")
    expect(page).to_have_url(re.compile("tab=loss"))
    explanation = page.locator("details[data-fold=loss]")
    expect(explanation.locator("p")).to_contain_text("which training pulls together")
    explanation.locator("summary").click()
    expect(explanation.locator("p")).to_be_hidden()
    page.reload()
    expect(explanation.locator("summary")).to_have_text("What the loss looks at.")
    expect(explanation.locator("p")).to_be_hidden()
    open_tab(page, "Map")
    expect(page.locator("details[data-fold=map] p")).to_be_visible()
    open_tab(page, "Loss")
    expect(page).to_have_url(re.compile("tab=loss"))
    expect(explanation.locator("p")).to_be_hidden()
    explanation.locator("summary").click()
    page.reload()
    expect(explanation.locator("p")).to_be_visible()
