"""What a visitor sees first: one line of header, the figure on the first screen, explanations that stay folded."""

from __future__ import annotations

import re
import urllib.parse

import pytest
from playwright.sync_api import Browser, Page, expect

from cl_core.ui.modules import AT_ONCE, module_files, with_imports
from cl_core.ui.navigation import TABS
from tests.browser.conftest import READY, open_tab

LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.mark.moves
def test_start_moves_once_and_stays_to_be_touched(page: Page) -> None:
    page.set_viewport_size(LAPTOP)
    page.reload()
    stage = page.locator("#start-view .cl-drift")
    caption = page.locator("#start-view .cl-caption")
    expect(stage).to_have_attribute("data-position", re.compile(r"^[1-9]\."))
    expect(stage).to_have_attribute("data-position", "11.00")
    expect(page.locator("#start-view .cl-epoch")).to_have_text("epoch 300")
    expect(caption).to_contain_text("59 %")
    for part in (*page.locator("#start-view .cl-door").all(), stage):
        box = part.bounding_box()
        assert box and box["y"] + box["height"] <= LAPTOP["height"]
    box = stage.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(caption).to_contain_text("Click to find similar ones")
    page.mouse.move(0, 0)
    page.get_by_role("slider", name="Snapshot of the training").fill("0")
    expect(caption).to_contain_text("Before training")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(caption).to_contain_text("Click to find similar ones")
    name = caption.inner_text().removesuffix(". Click to find similar ones.")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page).to_have_url(re.compile("tab=search"))
    expect(page.get_by_label("Or an image of the set")).to_have_value(name)
    expect(page.locator("#search-view .cl-row")).to_have_count(3)


def test_modules_of_other_tabs_wait_until_the_page_is_touched(page: Page) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url) if "/frontend-" in request.url else None)
    page.goto(page.url.partition("?")[0])
    expect(page.locator("#start-view .cl-drift")).to_have_attribute("data-position", re.compile(r"\d"))
    assert len(fetched) == len(with_imports(AT_ONCE)), "Start waits for no file that the page's head does not name"
    page.keyboard.press("Shift")
    page.wait_for_function(
        "(count) => document.querySelectorAll('link[rel=modulepreload][href*=frontend-]').length === count",
        arg=len(module_files()),
    )


def test_start_is_walked_with_the_arrow_keys(page: Page) -> None:
    stage, caption = page.locator("#start-view .cl-drift"), page.locator("#start-view .cl-caption")
    expect(stage).to_have_attribute("data-position", "11.00")
    stage.get_by_role("application").focus()
    page.keyboard.press("ArrowRight")
    expect(caption).to_contain_text("Click to find similar ones")
    middle = caption.inner_text()
    page.keyboard.press("ArrowDown")
    expect(caption).not_to_have_text(middle)
    expect(caption).to_contain_text("Click to find similar ones")
    name = caption.inner_text().removesuffix(". Click to find similar ones.")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("tab=search"))
    expect(page.get_by_label("Or an image of the set")).to_have_value(name)
    expect(page).to_have_url(re.compile(re.escape(f"query={urllib.parse.quote_plus(name)}")))  # a copied link opens the same


def test_charts_are_loaded_while_the_reader_reads(browser: Browser, app_url: str) -> None:
    """Not while something moves: the page stands still for it."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(app_url)
    stage = page.locator("#start-view .cl-drift")
    expect(stage).to_have_attribute("data-position", re.compile(r"^[3-8]\."))
    assert page.locator("script[data-plotly]").count() == 0
    page.wait_for_function("globalThis.Plotly !== undefined")
    assert float(stage.get_attribute("data-position") or 0) == 11
    context.close()


def test_start_stands_still_for_those_who_ask_for_it_and_doors_lead_into_the_app(page: Page) -> None:
    expect(page.locator("#start-view .cl-drift")).to_have_attribute("data-position", "11.00")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    for door, tab in (("Search with your own", "search"), ("Train on your own", "images")):
        open_tab(page, "Start")
        page.get_by_role("link", name=re.compile(door)).click()
        expect(page).to_have_url(re.compile(f"tab={tab}"))
    page.go_back()
    expect(page.get_by_role("tab", name="Start")).to_have_attribute("aria-selected", "true")


def test_every_tab_is_reached_by_a_swipe(phone: Page) -> None:
    """All of them are on one line, in named groups; there is no menu of hidden ones."""
    phone.set_viewport_size(PHONE)
    tabs = phone.locator(".sections > .tab-wrapper")
    names = tabs.get_by_role("tab").all_inner_texts()
    assert names[0] == "Start" and names[-1] == "Models" and len(names) == len(TABS)
    assert tabs.evaluate("e => e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX === 'auto'")
    last = tabs.get_by_role("tab", name="Models")
    last.click()  # scrolls to it, as a swipe does
    box = last.bounding_box()
    assert box and box["x"] + box["width"] <= PHONE["width"] and box["height"] >= 40
    assert (
        tabs.get_by_role("tab", name="Map", exact=True).evaluate("e => getComputedStyle(e, '::before').content")
        == '"Explore" / ""'
    )
    phone.goto(phone.url.replace("/?", "/zh?"))
    content = phone.locator("[data-tab-id=map]").evaluate("e => getComputedStyle(e, '::before').content")
    assert content == '"探索" / ""'


def test_the_header_is_one_line(page: Page) -> None:
    page.set_viewport_size(LAPTOP)
    box = page.locator(".header").bounding_box()
    assert box and box["height"] <= 56
    menu = page.get_by_label("Model", exact=True)
    expect(menu).to_be_hidden()  # Start shows runs of its own
    open_tab(page, "Views")
    expect(menu).to_be_visible()
    for part in page.locator(".header > *").all():
        inner = part.bounding_box()
        assert inner and box["y"] <= inner["y"] and inner["y"] + inner["height"] <= box["y"] + box["height"]


FIGURES = {  # by tab: the figure, and the control that changes it
    "Start": ("#start-view .cl-drift", "Snapshot of the training"),
    "Views": ("#views-view img", "Image"),
    "Loss": ("#loss-view .cl-frame", "Temperature t"),
    "Temperature": ("#temperature-view .cl-frame", "Temperature t"),
    "Map": ("#map-view .cl-map", "t-SNE"),
    "Curves": ("#curves-view .cl-plot", "Model"),
    "Ablations": ("#ablations-curves .cl-plot", "SimSiam without predictor"),
    "Search": ("#search-view .cl-row", "Or an image of the set"),
    "Compare": ("#compare-curves .cl-plot", "Compare with"),
    "Words": ("#words-neighborhood .cl-plot", "Ask"),
    "Images": ("#images-drop .cl-drop", "Data set"),
    "NCE": ("#nce-view [data-cell^='form.'] svg", "Negative sampling"),
    "Keys": ("#keys-view .cl-cloud", "Snapshot of the training"),
    "Clusters": ("#clusters-view .cl-cluster-map", "Step of the algorithm"),
    "t-SNE–UMAP": ("#spectrum-view .cl-embedding", "Normalizer, from t-SNE to UMAP"),
}


def test_figures_are_whole_on_the_first_screen(page: Page) -> None:
    """With the control that changes them beside them; the explanation is open."""
    page.set_viewport_size(LAPTOP)
    below = {}
    for tab, (figure, control) in FIGURES.items():
        open_tab(page, tab)
        page.wait_for_selector(READY["spectrum" if tab == "t-SNE–UMAP" else tab.lower()])
        if tab != "Start":
            expect(page.locator("details[data-fold]:visible").first).to_have_attribute("open", "")
        page.wait_for_selector(figure)
        parts = [*page.locator(figure).all(), page.get_by_label(control).locator("visible=true").first]
        ends = [box["y"] + box["height"] for box in (part.bounding_box() for part in parts) if box]
        if len(ends) < len(parts) or max(ends) > LAPTOP["height"]:
            below[tab] = ends
    assert not below


def test_on_a_phone_the_buttons_stand_beside_the_title(phone: Page) -> None:
    phone.set_viewport_size(PHONE)
    title, switch = phone.locator(".header h1").bounding_box(), phone.get_by_role("button", name="Light / dark").bounding_box()
    assert title and switch and abs(title["y"] + title["height"] / 2 - switch["y"] - switch["height"] / 2) < 12
    assert switch["width"] >= 40 and switch["height"] >= 40
    assert phone.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.opens("loss")
def test_a_folded_explanation_stays_folded(page: Page) -> None:
    explanation = page.locator("details[data-fold=loss]")
    expect(explanation.locator("p")).to_contain_text("which training pulls together")
    explanation.locator("summary").click()
    expect(explanation.locator("p")).to_be_hidden()
    # The browser fires the event later than it folds the text.
    page.wait_for_function("() => localStorage.getItem('contrastive-explorer-folded')?.split(' ').includes('loss')")
    page.reload()
    expect(explanation.locator("summary")).to_have_text("What the loss looks at.")
    expect(explanation.locator("p")).to_be_hidden()
    open_tab(page, "Map")
    expect(page.locator("details[data-fold=map] p")).to_be_visible()
    open_tab(page, "Loss")
    expect(page).to_have_url(re.compile("tab=loss"))
    expect(explanation.locator("p")).to_be_hidden()
    explanation.locator("summary").click()
    expect(explanation.locator("p")).to_be_visible()
    page.wait_for_timeout(300)  # the browser says later that it is open
    page.reload()
    expect(explanation.locator("p")).to_be_visible()


def test_the_tour_sets_the_controls_is_left_and_resumed(page: Page) -> None:
    page.set_viewport_size(LAPTOP)
    page.get_by_role("link", name=re.compile("Take the tour")).click()
    panel = page.locator("#tour .cl-tour")
    expect(panel).to_contain_text("Which of a million words stands here?")
    expect(page.locator("#words-views").get_by_role("tab", name="Cost")).to_have_attribute("aria-selected", "true")
    for _ in range(2):
        panel.get_by_role("link", name="Next").click()
        page.wait_for_timeout(300)
    expect(panel).to_contain_text("step 3 of 10")
    expect(page.locator("#loss-view .cl-summary")).to_contain_text("NT-Xent")
    expect(page.get_by_label("4 softmax")).to_be_checked()
    expect(page.locator("#loss-view .cl-frame canvas").first).to_be_visible()
    figure, beside = page.locator("#loss-view .cl-frame").first.bounding_box(), panel.bounding_box()
    assert figure and beside and figure["y"] + figure["height"] <= LAPTOP["height"]
    for control in ("Loss", "number input for Images"):  # the panel covers nothing
        box = page.get_by_label(control, exact=True).first.bounding_box()
        assert box and box["x"] + box["width"] <= beside["x"], control
    header = page.locator(".header").bounding_box()
    assert header and header["x"] + header["width"] <= beside["x"]
    explanation = page.locator("details[data-fold=loss]")
    expect(explanation.locator("p")).to_be_hidden()  # folded, and can be opened
    explanation.locator("summary").click()
    expect(explanation.locator("p")).to_be_visible()
    answer = panel.locator("details p")
    expect(answer).to_be_hidden()
    panel.get_by_text("Show the answer").click()
    expect(answer).to_contain_text("cannot fall below 0")
    panel.get_by_role("button", name="Leave").click()
    expect(panel).to_have_count(0)
    expect(page).not_to_have_url(re.compile("tour="))
    page.goto(page.url.partition("?")[0])
    resume = page.get_by_role("link", name=re.compile("Resume the tour at step 3"))
    expect(resume).to_have_attribute("href", re.compile("tour=3"))


def test_a_link_opens_a_step_of_the_tour_on_a_phone(phone: Page) -> None:
    phone.set_viewport_size(PHONE)
    phone.goto(phone.url.partition("?")[0] + "zh?tab=temperature&temperature=0.5&tour=6")
    panel = phone.locator("#tour .cl-tour")
    expect(panel).to_contain_text("温度怎样改变 softmax？")
    expect(phone.locator("#temperature-view").get_by_role("spinbutton")).to_have_value("0.5")
    box = panel.bounding_box()
    assert box and box["height"] <= 0.47 * PHONE["height"]
    panel.get_by_role("button", name="收起或展开导览").click()
    folded = panel.bounding_box()
    assert folded and folded["height"] < 140
    assert phone.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.opens("loss")
def test_terms_and_figures_explain_themselves_at_hover_focus_and_tap(page: Page) -> None:
    """With this batch's numbers, and without the help of a title."""
    hint = page.get_by_role("tooltip")
    expect(hint).to_have_count(0)
    chance = page.locator("#loss-view [data-fact=chance] dt")
    chance.hover()
    expect(hint).to_contain_text("With 31 equally likely candidates it is ln 31 = 3.43.")
    assert chance.get_attribute("title") is None
    page.mouse.move(5, 5)
    expect(hint).to_be_hidden()
    chance.focus()
    expect(hint).to_be_visible()
    box = hint.bounding_box()
    assert box and box["x"] >= 0 and box["y"] >= 0
    page.keyboard.press("Escape")
    expect(hint).to_be_hidden()
    page.locator("details[data-fold=loss]").get_by_text("positives").click()
    expect(hint).to_contain_text("A candidate that belongs to the anchor")
    page.get_by_text("Glossary", exact=True).click()
    expect(page.locator("#glossary dt", has_text="chance level")).to_be_visible()


def test_what_a_tap_selects_comes_up_from_the_bottom(phone: Page) -> None:
    phone.set_viewport_size(PHONE)
    open_tab(phone, "Loss")
    phone.wait_for_selector(READY["loss"])
    sheet = phone.locator("#loss-view .cl-sheet")
    phone.locator("#loss-view .cl-frame").first.click(position={"x": 120, "y": 120})
    box = sheet.bounding_box()
    assert box and box["y"] + box["height"] == pytest.approx(PHONE["height"], abs=2) and box["height"] <= 0.5 * PHONE["height"]
    expect(sheet).to_contain_text("Cosine")
    sheet.get_by_role("button", name="Close").click()
    expect(sheet).not_to_have_class(re.compile("cl-open"))
    open_tab(phone, "Map")
    phone.wait_for_selector(READY["map"])
    frame = phone.locator("#map-view .cl-map")
    size = frame.bounding_box()
    assert size
    for step in range(0, 200, 7):
        frame.click(position={"x": size["width"] * 0.2 + step, "y": size["height"] * 0.5})
        if re.search("point=", phone.url):
            break
    neighbors = phone.locator("#map-neighbors .cl-sheet")
    expect(neighbors).to_have_class(re.compile("cl-open"))
    expect(neighbors.locator(".cl-caption")).to_have_count(9)
    low = neighbors.bounding_box()
    assert low and low["y"] + low["height"] == pytest.approx(PHONE["height"], abs=2)
