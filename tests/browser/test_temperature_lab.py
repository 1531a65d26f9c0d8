"""The temperature lab, used as a person would: what it shows against Python, and no server in between."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from cl_core.explore.batch import chosen_batch
from cl_core.explore.model_store import ModelStore
from cl_core.losses.anatomy import Anatomy
from cl_core.losses.temperature import effective_negatives, hardest_contribution, overflow_temperature, positive_pull
from cl_core.ui.tabs.loss import Loss, breakdown_by
from tests.browser.conftest import screenshot

pytestmark = pytest.mark.opens("temperature")

STORE = ModelStore()

PAIRS = 16  # the first batch, as in the tab Loss
TEMPERATURES = ["0.01", "0.05", "0.1", "0.5", "1", "10"]


def anatomy_at(model: str, t: float) -> Anatomy:
    """The batch as the model's loss sees it, at another temperature."""
    batch = chosen_batch(STORE.get(model), "", PAIRS, 1)
    loss: Loss = "out" if model == "emoji-supcon" else "nt-xent"
    return breakdown_by(loss, batch.trained, batch.labels, t).anatomy


def number(page: Page, fact: str) -> float:
    return float(page.locator(f"#temperature-view [data-fact={fact}] dd").get_attribute("title") or "nan")


def test_numbers_follow_the_temperature_without_the_server(page: Page) -> None:
    check_temperatures(page, "emoji-simclr")
    screenshot(page, "temperature")
    for model in ("emoji-supcon", "emoji-simsiam"):
        page.get_by_label("Model").click()
        page.get_by_role("option", name=model, exact=True).click()
        check_temperatures(page, model, ("0.05", "2"))


def check_temperatures(page: Page, model: str, temperatures: Sequence[str] = TEMPERATURES) -> None:
    """Every number of the tab at some temperatures, against Python's; the server is not called."""
    expect(page.locator("#temperature-view .cl-summary")).to_contain_text(model)
    asked: list[str] = []
    page.wait_for_function("globalThis.Plotly !== undefined")  # loaded ahead
    page.on("request", lambda request: asked.append(request.url))
    for t in temperatures:
        page.locator("#temperature-view").get_by_role("spinbutton").fill(t)
        expect(page).to_have_url(re.compile(rf"[?&]temperature={re.escape(t)}(&|$)"))
        parts = anatomy_at(model, float(t))
        for fact, expected in {
            "loss": parts.loss,
            "row": float(parts.terms[0]),
            "probability": float(parts.probabilities[0, parts.positive[0]].sum()),
            "effective": float(effective_negatives(parts)[0]),
            "hardest": float(hardest_contribution(parts)[0]),
            "pull": float(positive_pull(parts)[0]),
            "mean_effective": float(effective_negatives(parts).mean()),
        }.items():
            wanted = pytest.approx(expected, rel=1e-4, abs=1e-4)
            for _ in range(100):  # it is drawn with the next frame
                if number(page, fact) == wanted:
                    break
                page.wait_for_timeout(50)
            assert number(page, fact) == wanted, (t, fact)
        for kind, expected in {"loss": parts.loss, "hardest": float(hardest_contribution(parts).mean())}.items():
            shown = page.locator(f"#temperature-view [data-kind={kind}] strong").get_attribute("title")
            assert float(shown or "nan") == pytest.approx(expected, rel=1e-4, abs=1e-4)
        half = overflow_temperature(parts)
        fits = page.locator("#temperature-view .cl-exponent").get_attribute("data-fits")
        assert (fits == "half") == (float(t) > half)
    assert not asked, asked
    own = "back to 0.2" if model == "emoji-simsiam" else "as trained"  # SimSiam has no temperature
    page.locator("#temperature-view").get_by_role("button", name=own, exact=True).click()


def test_keys_choose_an_anchor_and_the_link_keeps_it(page: Page) -> None:
    page.locator("#temperature-view .cl-frame").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(page).to_have_url(re.compile("anchor=4"))
    parts = anatomy_at("emoji-simclr", 0.1)
    assert number(page, "row") == pytest.approx(float(parts.terms[3]), rel=1e-4, abs=1e-4)
    page.locator("#temperature-view").get_by_label("Untrained").check(force=True)
    expect(page).to_have_url(re.compile("network=untrained"))
    said = page.locator("#temperature-view .cl-which").inner_text()
    page.reload()
    expect(page.locator("#temperature-view .cl-which")).to_have_text(said)
    expect(page.locator("#temperature-view").get_by_label("Untrained")).to_be_checked()


def test_the_curves_are_a_slider_too(page: Page) -> None:
    curve = page.locator("#temperature-view [data-kind=loss] svg")
    curve.scroll_into_view_if_needed()
    box = curve.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    expect(page).to_have_url(re.compile(r"temperature=\d"))
    assert 3 < float(page.locator("#temperature-view").get_by_role("spinbutton").input_value()) < 8


def test_a_figure_is_saved_as_numbers_and_drawing(page: Page) -> None:
    with page.expect_download() as got:
        page.locator("#temperature-view").get_by_role("button", name="Save its numbers").first.click()
    rows = got.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert len(rows) == 1 + (2 * PAIRS) ** 2
    parts = anatomy_at("emoji-simclr", 0.1)
    row, column, similarity, probability, gradient, positive = rows[1 + 2 * PAIRS + 5].split(",")
    assert (int(row), int(column)) == (1, 5)
    assert float(similarity) == pytest.approx(float(parts.cosines[1, 5]), abs=1e-5)
    assert float(probability) == pytest.approx(float(parts.probabilities[1, 5]), rel=1e-4, abs=1e-7)
    assert float(gradient) == pytest.approx(float(parts.gradient[1, 5]), rel=1e-4, abs=1e-7)
    assert positive == "0"
    with page.expect_download() as got:
        page.locator("#temperature-view").get_by_role("button", name="Save as a drawing").first.click()
    assert got.value.path().read_text().count("<rect") == 1 + (2 * PAIRS) ** 2
    images = page.locator("#temperature-view").get_by_role("button", name="Save as an image")
    drawings = page.locator("#temperature-view").get_by_role("button", name="Save as a drawing")
    assert images.count() == drawings.count() == 4, "matrix, bars, curves, runs"
    for each in images.all():
        with page.expect_download() as got:
            each.click()
        with Image.open(got.value.path()) as image:
            assert image.format == "PNG"
            assert len(set(image.convert("RGB").resize((64, 64)).get_flattened_data())) > 8, "something is drawn"
    with page.expect_download() as got:
        drawings.nth(1).click()
    bars = got.value.path().read_text()
    assert bars.count("<rect") > 20
    assert bars.count("<image") == 1
