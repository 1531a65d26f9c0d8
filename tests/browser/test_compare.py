"""Runs side by side, and the experiments."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from cl_core.explore.model_store import ModelStore
from cl_core.ui.tabs.ablations import outcome
from tests.browser.conftest import screenshot

STORE = ModelStore()


@pytest.mark.opens("compare")
def test_two_runs_side_by_side(page: Page) -> None:
    page.wait_for_selector("#compare-maps .cl-root[data-drawn]")
    page.locator("#compare-maps .cl-frame").first.wait_for()
    verdict = page.locator("#compare-verdict")  # opens on the run that differs in the fewest settings
    expect(verdict).to_contain_text(re.compile("between emoji-simclr and emoji-supcon is not|emoji-supcon is better"))
    expect(verdict).to_contain_text("339 held-out images against 1,572 others")
    expect(verdict).to_contain_text("They differ in 4 settings: method simclr → supcon")
    held = page.get_by_label("Compare with")
    held.click()
    expect(page.get_by_role("option", name="fashion-simclr (other images: fashion)")).to_be_attached()
    page.get_by_role("option", name="emoji-moco", exact=True).click()
    expect(page).to_have_url(re.compile("others=[^&]*emoji-moco"))
    expect(verdict).to_contain_text("emoji-simclr is better than emoji-moco. kNN accuracy 59.0 % against 54.3 %: 4.7 ± ")
    expect(page.locator("#compare-maps .cl-frame")).to_have_count(3)
    expect(page.locator("#compare-neighbors .cl-row")).to_have_count(3)
    expect(page.locator("#compare-batch .cl-matrix")).to_have_count(3)
    expect(page.locator("#compare-curves .cl-plot svg.main-svg").first).to_be_visible()
    page.wait_for_selector("#compare-maps:not([aria-busy])")  # maps that are drawn anew forget what was pointed at
    frame = page.locator("#compare-maps .cl-frame").nth(1)
    frame.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#compare-maps .cl-pointed")).to_contain_text("the same image in every map")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("asked=1"))
    expect(page.locator("#compare-neighbors .cl-caption").first).not_to_have_text("grinning face")
    box = frame.bounding_box()
    assert box
    assert box["width"] > 200
    assert abs(box["width"] - box["height"]) < 2
    screenshot(page, "compare")


@pytest.mark.opens("ablations")
def test_guess_first_then_see(page: Page) -> None:
    question = page.locator("#ablations-question")
    expect(question).to_contain_text("stop-gradient")
    page.get_by_label("number input for Your guess").fill("50")
    curves = page.locator("#ablations-curves .cl-plot").first
    expect(curves.locator(".legendtext", has_text="emoji-simsiam-small")).to_be_visible()
    expect(curves.locator(".legendtext", has_text="no-stop-gradient")).to_have_count(0)  # not before the guess
    page.get_by_role("button", name="See what happened").click()
    found = outcome(STORE, "no_stop_gradient")
    expect(page.locator("#ablations-result")).to_contain_text(f"{found['changed']} %")
    expect(page.locator("#ablations-result")).to_contain_text("It collapses.")
    expect(curves.locator(".legendtext", has_text="no-stop-gradient")).to_be_visible()
    expect(page.locator("#ablations-neighbors .cl-row")).to_have_count(2)
    screenshot(page, "ablations")
    page.get_by_label("SimCLR at t 10").check()
    expect(question).to_contain_text("all negatives count alike")
    expect(page.locator("#ablations-result")).not_to_contain_text("It collapses.")
    expect(curves.locator(".legendtext", has_text="emoji-simclr-small")).to_be_visible()
    expect(curves.locator(".legendtext", has_text="hot")).to_have_count(0)
    expect(page).to_have_url(re.compile("experiment=hot"))
