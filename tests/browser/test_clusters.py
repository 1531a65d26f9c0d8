"""The tab Clusters: steps of k-means and EM, and the figures of training."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from cl_core.explore.model_store import ModelStore
from cl_core.ui.tabs import clusters
from tests.browser.conftest import screenshot

pytestmark = pytest.mark.opens("clusters")


def objective(page: Page, kind: str) -> float:
    return float(page.locator(f"#clusters-view [data-fact='objective.{kind}'] dd").get_attribute("title") or "nan")


def test_the_steps_are_those_of_python(page: Page) -> None:
    steps = clusters.show(ModelStore().get("emoji-simclr"), "kmeans", clusters.CLUSTERS, 0)["steps"]
    button = page.locator("#clusters-view .cl-next")
    expect(button).to_have_text("Move the centers")
    for number in range(3):
        assert abs(objective(page, "kmeans") - steps[number]["objective"]) < 1e-4
        button.click()
    page.wait_for_selector("#clusters-training .cl-root[data-drawn]")
    screenshot(page, "clusters")
    slider = page.locator("#clusters-view input[type=range]")
    slider.fill(str(len(steps) - 1))
    expect(button).to_be_disabled()
    expect(page.locator("#clusters-view [data-fact=agreement]")).to_be_visible()
    page.locator("#clusters-view .cl-own", has_text="Back").click()
    expect(page.locator("#clusters-view [data-fact=step] dd")).to_have_text(f"{len(steps) - 1} of {len(steps)}")
    page.get_by_label("Gaussian mixture (EM)").check()
    page.wait_for_selector("#clusters-view [data-fact='objective.mixture']")
    assert "algorithm=mixture" in page.url
    expect(page.locator("#clusters-training-text")).to_contain_text("Two updates in training.")


@pytest.mark.moves
def test_play_goes_through_the_steps_and_can_be_paused(page: Page) -> None:
    play = page.locator("#clusters-view .cl-own").nth(1)
    play.click()
    expect(play).to_have_text("Pause")
    expect(page.locator("#clusters-view [data-fact=step] dd")).to_contain_text("3 of")
    play.click()
    expect(play).to_have_text("Play")
