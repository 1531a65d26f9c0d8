"""The loss microscope, used as a person would: numbers on the page against Python's."""

from __future__ import annotations

import math
import re

import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from cl_core.explore.batch import chosen_batch, draw_batch, loss_breakdowns
from cl_core.explore.model_store import ModelStore
from cl_core.explore.what_if import default_pair, what_if
from cl_core.losses.anatomy import Anatomy
from cl_core.ui.tabs.loss import Loss, breakdown_by, example_anatomy
from tests.browser.conftest import open_tab, screenshot

pytestmark = pytest.mark.opens("loss")

STORE = ModelStore()

TEMPERATURES = ["0.01", "0.1", "10"]  # every loss at every temperature: test_anatomy_script
COUNT = 16
MAX_CELL, MIN_IMAGE = 64, 9
TRAINED = 1


def drawn(page: Page) -> None:
    page.wait_for_selector("#loss-view .cl-root[data-drawn]")


def pick(page: Page, label: str, option: str) -> None:
    """Choose from a menu, and wait for what follows."""
    before = page.locator("#loss-view .cl-root").get_attribute("data-drawn") or ""
    page.get_by_label(label, exact=True).first.click()
    page.get_by_role("option", name=option, exact=True).click()
    expect(page.locator("#loss-view .cl-root")).not_to_have_attribute("data-drawn", before)


def frame(page: Page, panel: int = TRAINED) -> Locator:
    return page.locator("#loss-view .cl-frame").nth(panel)


def geometry(page: Page, columns: int, panel: int = TRAINED) -> tuple[float, float]:
    """Sides of a cell and of the images at the edge, by the rule of render/matrix.js."""
    box = frame(page, panel).bounding_box()
    assert box
    with_images = page.locator("#loss-view .cl-pair .cl-tile").count() > 0 and box["width"] / (columns + 1) >= MIN_IMAGE
    cell = min(MAX_CELL, box["width"] / (columns + with_images))
    return cell, cell if with_images else 0.0


def point(page: Page, row: int, column: int, columns: int, panel: int = TRAINED) -> None:
    cell, side = geometry(page, columns, panel)
    frame(page, panel).hover(position={"x": side + (column + 0.5) * cell, "y": side + (row + 0.5) * cell})
    page.wait_for_timeout(80)  # words come a frame after the highlight


def number(page: Page, fact: str) -> float:
    return float(page.locator(f"#loss-view [data-fact={fact}] dd").get_attribute("title") or "nan")


def check(page: Page, parts: Anatomy, row: int, column: int) -> None:
    """Every number of the panel beside the matrix, to 1e-4."""
    assert number(page, "loss") == pytest.approx(parts.loss, rel=1e-4, abs=1e-4)
    assert number(page, "row") == pytest.approx(float(parts.terms[row]), rel=1e-4, abs=1e-4)
    assert number(page, "cosine") == pytest.approx(float(parts.cosines[row, column]), abs=1e-4)
    gradient = float(parts.gradient[row, column])
    assert number(page, "gradient") == pytest.approx(abs(gradient), rel=1e-4, abs=1e-4)
    expect(page.locator("#loss-view [data-fact=gradient] dt")).to_contain_text("Pull" if gradient < 0 else "Push")
    if parts.form.kind != "cosine":
        divided = float(parts.cosines[row, column]) / parts.form.temperature
        assert number(page, "scaled") == pytest.approx(divided, rel=1e-4, abs=1e-4)
        if parts.form.kind == "nce":
            assert number(page, "nce_logit") == pytest.approx(float(parts.scaled[row, column]), rel=1e-4, abs=1e-4)
        assert number(page, "probability") == pytest.approx(float(parts.probabilities[row, column]), rel=1e-4, abs=1e-4)


def test_a_cell_shows_its_pair_and_its_term(page: Page) -> None:
    drawn(page)
    expect(page.locator("#loss-view .cl-matrix")).to_have_count(2)
    details = page.locator("#loss-view .cl-details")
    point(page, 0, COUNT, 2 * COUNT)
    expect(details).to_contain_text("positive: two views of one image")
    expect(details.locator(".cl-tile")).to_have_count(2)
    batch = draw_batch(STORE.get("emoji-simclr"), COUNT, 1)
    _, trained = loss_breakdowns(STORE.get("emoji-simclr"), batch, 2 * COUNT)
    check(page, trained.anatomy, 0, COUNT)
    expect(details.locator(".cl-formula .cl-here")).to_have_count(2)  # above and below the line
    screenshot(page, "loss")
    row, column = 9, 3
    point(page, row, column, 2 * COUNT)
    expect(details).to_contain_text(re.compile("negative[:,]"))
    check(page, trained.anatomy, row, column)
    assert number(page, "gradient") > 0


def test_the_temperature_tab_has_the_same_batch_and_the_same_pull(page: Page) -> None:
    """Also after the number of images has changed."""
    for count in (COUNT, 8):
        open_tab(page, "Loss")
        page.locator("input[aria-label*='Images']").first.fill(str(count)) if count != COUNT else None
        batch = draw_batch(STORE.get("emoji-simclr"), count, 1)
        parts = loss_breakdowns(STORE.get("emoji-simclr"), batch, 2 * count)[TRAINED].anatomy
        expect(page.locator("#loss-view [data-fact=chance] dd")).to_have_text(f"{math.log(2 * count - 1):.3f}")  # it is drawn
        point(page, 0, count, 2 * count)
        check(page, parts, 0, count)
        facts = {name: number(page, name) for name in ("gradient", "row", "loss")}
        open_tab(page, "Temperature")
        expect(page.locator("#temperature-view .cl-summary")).to_contain_text(f"{count} images, two views each")
        same = {"gradient": "pull", "row": "row", "loss": "loss"}
        for name, value in facts.items():
            shown = page.locator(f"#temperature-view [data-fact={same[name]}] dd").get_attribute("title")
            assert float(shown or "nan") == pytest.approx(value, rel=1e-6), (count, name)


def test_a_term_lights_its_cell(page: Page) -> None:
    drawn(page)
    point(page, 2, 5, 2 * COUNT)
    term = page.locator("#loss-view .cl-below .cl-term").nth(2)
    column = int(term.get_attribute("data-column") or "-1")
    term.hover()
    cell, _ = geometry(page, 2 * COUNT)
    box, board = frame(page).locator(".cl-cursor").bounding_box(), frame(page).bounding_box()
    assert box
    assert board
    assert box["x"] - board["x"] == pytest.approx((column + 1) * cell, abs=1)
    assert box["y"] - board["y"] == pytest.approx(3 * cell, abs=1)
    before = page.locator("#loss-view .cl-which").inner_text()
    term.click()
    expect(page).to_have_url(re.compile(rf"cell=1\.2\.{column}(&|$)"))
    expect(page.locator("#loss-view .cl-which")).not_to_have_text(before)


def test_keys_move_the_cell(page: Page) -> None:
    drawn(page)
    frame(page).focus()
    expect(page.locator("#loss-view .cl-which")).to_contain_text("view 2")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(rf"cell=1\.1\.{COUNT + 1}(&|$)"))
    expect(page.locator("#loss-view .cl-role")).to_have_text("positive: two views of one image")
    page.get_by_label("1 cosine").focus()
    for stage in ("÷ t", "mask", "softmax", "−log", "mean", "gradient"):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_label(stage)).to_be_checked()
    expect(page.locator("#loss-view .cl-about")).to_contain_text("pulled together")


def test_every_loss_at_every_temperature(page: Page) -> None:
    """On one model's embeddings: the numbers on the page are those of the functions that train."""
    drawn(page)
    batch = draw_batch(STORE.get("emoji-simclr"), COUNT, 1)
    row, column = 4, 4 + COUNT
    names: dict[Loss, str] = {
        "ratio": "DCL: InfoNCE without the positive in the denominator",
        "nt-xent": "InfoNCE as in SimCLR (NT-Xent)",
        "out": "SupCon, mean outside the log",
        "in": "SupCon, mean inside the log",
        "in-sum": "SupCon, sum inside the log",
    }
    for loss, name in names.items():
        pick(page, "Loss", name)
        point(page, row, column, 2 * COUNT)
        for t in TEMPERATURES:
            page.get_by_role("spinbutton", name="Temperature t").fill(t)
            expect(page).to_have_url(re.compile(rf"[?&]t={re.escape(t)}(&|$)"))
            trained = breakdown_by(loss, batch.trained, batch.labels, float(t)).anatomy
            check(page, trained, row, column)
            # The sentence above has the numbers of the matrices.
            said = page.locator("#loss-view .cl-summary")
            expect(said).to_contain_text(f"(temperature {t})")
            expect(said).to_contain_text(f"{round(trained.loss, 2) + 0.0:.2f} trained".replace("-", "−"))


def test_every_method(page: Page) -> None:
    drawn(page)
    for method in ("nce-bank", "infonce-bank", "simsiam", "supcon", "cross-entropy", "moco"):
        model = f"emoji-{method}"
        pick(page, "Model", model)
        batch = draw_batch(STORE.get(model), COUNT, 1)
        parts = loss_breakdowns(STORE.get(model), batch, 2 * COUNT)[TRAINED].anatomy
        columns = parts.cosines.shape[1]
        row = 3
        column = int(parts.positive[row].int().argmax())
        point(page, row, column, columns)
        check(page, parts, row, column)
        expect(page.locator("#loss-view .cl-role")).to_contain_text("positive")
        similarity = "Logit" if method == "cross-entropy" else "Cosine"
        expect(page.locator("#loss-view [data-fact=cosine] dt")).to_have_text(similarity)
        expect(page.locator("#loss-view .cl-chip").first).to_have_text(f"1 {similarity.lower()}")
        kind = "sigmoid" if method == "nce-bank" else "softmax"
        chip = page.locator("#loss-view .cl-chip", has_text=kind)
        expect(chip).to_have_text(f"4 {kind}")
        expect(page.get_by_role("radio", name=f"4 {kind}")).to_be_enabled(enabled=method != "simsiam")
        expect(page.locator("#loss-view .cl-chip").nth(4)).to_have_text("5 cost" if method == "simsiam" else "5 −log")
        expect(page.locator("#loss-view").get_by_role("slider", name="Temperature t")).to_be_visible(visible=method != "simsiam")
        said = {"simsiam": "sg", "nce-bank": "σ"}.get(method, "−log")
        expect(page.locator("#loss-view .cl-formula")).to_contain_text(said)
    # The queue of MoCo is beside the keys.
    role = page.locator("#loss-view .cl-role")
    point(page, 0, 1, 48)
    expect(role).to_have_text("not compared by this method")
    point(page, 3, 30, 48)
    expect(role).to_contain_text("in the queue")
    expect(page.locator("#loss-view .cl-which")).to_contain_text("stored key")
    expect(page.locator("#loss-view .cl-details .cl-tile")).to_have_count(2)
    chips = page.locator("#loss-view .cl-chip")
    for method, similarity in (("barlow-twins", "correlation"), ("vicreg", "covariance")):
        pick(page, "Model", f"emoji-{method}")
        expect(chips.first).to_have_text(f"1 {similarity}")


def test_a_stage_that_a_loss_does_not_have_is_left_and_found_again(page: Page) -> None:
    drawn(page)
    stage = page.get_by_role("radio", name=re.compile("^4 "))
    page.get_by_text("4 softmax", exact=True).click()
    for method, fourth in (("vicreg", "softmax"), ("dcl", "ratio"), ("siglip", "sigmoid")):
        pick(page, "Model", f"emoji-{method}")
        expect(page.locator("#loss-view .cl-chip").nth(3)).to_have_text(f"4 {fourth}")
        expect(page.get_by_role("radio", name="1 covariance" if method == "vicreg" else f"4 {fourth}")).to_be_checked()
        expect(stage).to_be_enabled(enabled=method != "vicreg")
        expect(page).to_have_url(re.compile("stage=probability"))
        fact = {"vicreg": "Covariance", "dcl": "Ratio", "siglip": "Probability correct"}[method]
        expect(page.locator("#loss-view .cl-details dt", has_text=fact).first).to_be_visible()
    page.goto(page.url.replace("stage=probability", "stage=gradient").replace("emoji-siglip", "emoji-vicreg"))
    drawn(page)
    expect(page.get_by_role("radio", name="1 covariance")).to_be_checked()
    expect(page.get_by_role("radio", name="7 gradient")).to_be_disabled()


def test_a_false_negative_is_called_one(page: Page) -> None:
    drawn(page)
    data, batch = STORE.get("emoji-simclr").dataset, draw_batch(STORE.get("emoji-simclr"), COUNT, 1)
    same = batch.labels[:, None] == batch.labels[None]
    same.fill_diagonal_(False)
    row, column = same.nonzero()[0].tolist()
    assert data.classes
    point(page, row, column, 2 * COUNT)
    expect(page.locator("#loss-view .cl-flag")).to_contain_text("false negative")
    parts = loss_breakdowns(STORE.get("emoji-simclr"), batch, 2 * COUNT)[TRAINED].anatomy
    without = parts.negative.clone()
    without[row, column] = False
    compared = parts.scaled.masked_fill(~(parts.positive | without), -torch.inf)[row]
    smaller = compared.logsumexp(0) - parts.scaled[row, parts.positive[row]]
    assert number(page, "cost") == pytest.approx(float(parts.terms[row] - smaller), rel=1e-3, abs=1e-5)
    expect(page.locator("#loss-view [data-fact=contribution]")).to_have_count(0)


def test_the_worked_example_shows_its_figures(page: Page) -> None:
    drawn(page)
    page.get_by_role("spinbutton", name="Temperature t").fill("5")
    pick(page, "Loss", "Worked example: SupCon, mean outside the log")
    expect(page.locator("#loss-view .cl-matrix")).to_have_count(1)
    expect(page.get_by_role("spinbutton", name="Temperature t")).to_be_disabled()
    expect(page.get_by_role("spinbutton", name="Temperature t")).to_have_value("1")
    expect(page.get_by_role("button", name="New batch")).to_be_disabled()
    said = page.locator("#loss-view .cl-summary")
    for figure in ("11.4197, 7.2050, 4.0179, 9.5451", "0.5504, 0.0000, 1.0430, 0.8892", "2.4826"):
        expect(said).to_contain_text(figure)
    frame(page, 0).hover(position={"x": 64 * 2.5, "y": 64 * 0.5})
    check(page, example_anatomy("out"), 0, 2)
    for form, loss in (("mean", "1.4402"), ("sum", "0.7470")):
        pick(page, "Loss", f"Worked example: SupCon, {form} inside the log")
        expect(said).to_contain_text(loss)


def test_what_if_a_pair_is_left_out(page: Page) -> None:
    page.locator("#what-if-leave_out button, button#what-if-leave_out").first.click()
    result = page.locator("#what-if-result")
    expect(result).to_contain_text("Left out:")
    model = ModelStore().get("emoji-simclr")
    batch = chosen_batch(model, "", 16, 1)
    found = what_if(model, batch, *default_pair(batch, model.config.temperature), "leave_out", "nt_xent")
    expect(result).to_contain_text(f"{found.before.row_loss:.4f}")
    expect(result).to_contain_text(f"{found.after.row_loss:.4f}")
    expect(result.locator("tbody tr")).to_have_count(5)
    expect(page.locator("#what-if-neighbors .cl-row")).to_have_count(3)
    screenshot(page, "what-if")
