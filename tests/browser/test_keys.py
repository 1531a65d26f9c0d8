"""The tab Keys: five runs over time, and a step walked through its stages."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from cl_core.explore.paradigms import PARADIGMS, Paradigm
from tests.browser.conftest import PATIENCE_MS, screenshot

pytestmark = pytest.mark.opens("keys")


def fact(page: Page, where: str, name: str) -> float:
    return float(page.locator(f"{where} [data-fact={name}] dd").first.get_attribute("title") or "nan")


def test_the_keys_of_five_runs_over_time(page: Page) -> None:
    panels = page.locator("#keys-view .cl-paradigm")
    expect(panels).to_have_count(len(PARADIGMS))
    steps = Paradigm("moco-0").history.steps
    slider = page.locator("#keys-view input[type=range]")
    for snapshot in (0, len(steps) - 1):
        slider.fill(str(snapshot))
        expect(page.locator("#keys-view .cl-epoch")).to_contain_text(str(steps[snapshot]))
        for i, name in enumerate(PARADIGMS):
            shown = float(panels.nth(i).locator("[data-fact=consistency] dd").get_attribute("title") or "nan")
            assert abs(shown - float(Paradigm(name).history.cosines[snapshot].mean())) < 1e-4
    drawn = "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((each) => each)"
    assert all(canvas.evaluate(drawn) for canvas in panels.locator("canvas").all())
    canvas = panels.nth(1).locator("canvas")
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + 60, box["y"] + 30)
    expect(panels.nth(1).locator(".cl-caption")).to_contain_text("(in updates), cosine")
    page.wait_for_selector("#key-step .cl-root[data-drawn]")
    screenshot(page, "keys")


def test_a_step_is_walked_stage_by_stage(page: Page) -> None:
    page.evaluate("contrastiveLink.goTo('keys')")
    page.wait_for_selector("#key-step .cl-root[data-drawn='moco-0.99']")
    page.locator("#key-step .cl-chip", has_text="momentum 0").first.click()
    page.wait_for_selector("#key-step .cl-root[data-drawn='moco-0']")
    run = Paradigm("moco-0")
    first, second = run.step(0), run.step(1)
    assert abs(fact(page, "#key-step", "consistency") - first.before.consistency) < 1e-4
    go_on = page.locator("#key-step .cl-next")
    go_on.click()
    assert abs(fact(page, "#key-step", "loss") - first.loss) < 1e-4
    assert abs(fact(page, "#key-step", "own") - float(first.compared.own[0])) < 1e-4
    page.locator("#key-step .cl-pick").nth(3).click()
    assert abs(fact(page, "#key-step", "anchor_loss") - float(first.compared.losses[3])) < 1e-4
    expect(page.locator("#key-step .cl-key-item")).to_have_count(6)
    go_on.click()
    assert abs(fact(page, "#key-step", "consistency") - float(first.updated.mean())) < 1e-4
    go_on.click()
    assert abs(fact(page, "#key-step", "consistency") - first.after.consistency) < 1e-4
    expect(page.locator("#key-step .cl-about")).to_contain_text("64 new keys enter, the 64 oldest leave")
    go_on.click()
    expect(page.locator("#key-step h2")).to_contain_text(f"Step {second.step + 1} ")
    assert abs(fact(page, "#key-step", "consistency") - second.before.consistency) < 1e-4
    assert "paradigm=moco-0" in page.url


def test_a_view_whose_files_cannot_be_loaded_shows_a_sentence_and_can_be_tried_again(wide: BrowserContext, app_url: str) -> None:
    page = wide.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.route("**/sprites/**", lambda route: route.abort())
    page.goto(f"{app_url}?tab=keys")
    problem = page.locator("#keys-view .cl-problem")
    expect(problem).to_have_text(re.compile(r"This could not be loaded\. Check the connection\.\s*Try again"))
    page.unroute("**/sprites/**")
    problem.get_by_role("button", name="Try again").click()
    page.wait_for_selector("#keys-view .cl-root[data-drawn]")
    expect(problem).to_have_text("")
    page.close()
