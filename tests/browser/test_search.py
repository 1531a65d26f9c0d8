"""The search, as a person would begin: with an example, with a drawing, and from answer to answer."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import open_tab

pytestmark = pytest.mark.opens("search")

ANSWERS = "#search-view .cl-row"


def query(page: Page) -> str | None:
    """The source of the query's image, which stands before the answers of each row."""
    sources = [row.locator("img").first.get_attribute("src") for row in page.locator(ANSWERS).all()]
    assert len(set(sources)) == 1
    return sources[0]


def test_it_opens_with_the_answers_to_the_first_example(page: Page) -> None:
    expect(page.locator(ANSWERS)).to_have_count(3)
    expect(page.locator(f"{ANSWERS} .cl-item").first).to_contain_text("sun")
    expect(page.locator(f"{ANSWERS} .cl-item").nth(1)).to_contain_text("bright")


def test_back_to_the_example_that_it_opens_with(page: Page) -> None:
    expect(page.locator(ANSWERS)).to_have_count(3)
    first = query(page)
    page.locator(f"{ANSWERS} .cl-item").nth(1).click()
    expect(page).to_have_url(re.compile("query="))
    expect(page.locator(f"{ANSWERS} img").first).not_to_have_attribute("src", first or "")
    page.get_by_role("button", name="Back to the query before").click()
    expect(page.locator(f"{ANSWERS} img").first).to_have_attribute("src", first or "")
    expect(page).not_to_have_url(re.compile("query="))
    expect(page.locator(".toast-body")).to_have_count(0)


def test_of_two_quick_questions_the_last_is_asked(page: Page) -> None:
    expect(page.locator(ANSWERS)).to_have_count(3)
    page.evaluate(
        """() => {
          const [plain, calls] = [fetch, []];
          globalThis.fetch = async (...given) => {
            if (String(given[0]).startsWith("data:") && calls.push(given) === 1) await new Promise((go) => setTimeout(go, 1000));
            return plain(...given);
          };
        }"""
    )
    page.get_by_role("button", name="Sketch: fish").click()  # its image comes late
    page.locator("#search-queries .cl-example").nth(1).click()
    first = page.locator(f"{ANSWERS} .cl-item").nth(1)
    expect(first).to_contain_text("heart")
    page.wait_for_timeout(1500)
    expect(first).to_contain_text("heart")


def test_from_an_example_to_its_answers_and_back(page: Page) -> None:
    examples = page.locator("#search-queries .cl-example")
    expect(examples).to_have_count(12)
    page.get_by_role("button", name="Sketch: fish").click()
    expect(page.locator(ANSWERS)).to_have_count(3)
    first = page.locator(f"{ANSWERS} .cl-item").nth(1)
    expect(first).to_contain_text("fish")
    drawn = query(page)
    back = page.get_by_role("button", name="Back to the query before")
    expect(back).to_be_hidden()
    first.click()
    expect(page).to_have_url(re.compile("query=fish"))
    expect(page.locator(f"{ANSWERS} .cl-item").first).to_contain_text("fish")
    expect(page.locator("#search-upload img")).to_have_count(0)
    assert query(page) != drawn
    page.locator(f"{ANSWERS} .cl-item").nth(1).click()
    expect(page).not_to_have_url(re.compile("query=fish"))
    back.click()
    expect(page).to_have_url(re.compile("query=fish"))
    back.click()
    expect(page.locator("#search-upload img")).to_have_count(1)
    expect(page.locator(f"{ANSWERS} .cl-item").first).to_contain_text("your image")
    expect(page.locator(f"{ANSWERS} img").first).to_have_attribute("src", drawn or "")
    expect(back).to_be_hidden()
    expect(page).not_to_have_url(re.compile("query="))


def test_a_drawing_is_searched_for(page: Page) -> None:
    page.locator("#search-queries").get_by_text("Draw", exact=True).click()
    search = page.get_by_role("button", name="Search for it")
    expect(search).to_be_disabled()
    paper = page.locator("#search-queries .cl-paper")
    page.get_by_role("button", name="Red").click()
    page.get_by_text("Thick", exact=True).click()
    box = paper.bounding_box()
    assert box
    for start, end in (((0.3, 0.3), (0.7, 0.7)), ((0.7, 0.3), (0.3, 0.7))):
        page.mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=6)
        page.mouse.up()
    search.click()
    expect(page.locator(ANSWERS)).to_have_count(3)
    expect(page.locator(ANSWERS).first).to_contain_text("cross mark")
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(search).to_be_disabled()


def test_on_a_phone_the_answers_come_into_view(phone: Page) -> None:
    phone.set_viewport_size({"width": 390, "height": 844})
    open_tab(phone, "Search")
    phone.get_by_role("button", name="Sketch: heart").click()
    expect(phone.locator(ANSWERS)).to_have_count(3)
    expect(phone.locator(ANSWERS).first).to_be_in_viewport()
    assert phone.evaluate("document.documentElement.scrollWidth") == 390


def test_why_an_answer_is_similar(page: Page) -> None:
    reasons = page.locator("#search-why .cl-root")
    expect(reasons.locator(".cl-part canvas")).to_have_count(2)
    cosine, total = (reasons.locator(f"[data-fact={name}] dd") for name in ("cosine", "sum"))
    expect(total).to_have_text(cosine.inner_text())
    drawn = reasons.get_attribute("data-drawn")
    before = reasons.locator(".cl-part canvas").first.evaluate("canvas => canvas.toDataURL()")
    reasons.get_by_text("Occlusion", exact=True).click()
    expect(reasons).not_to_have_attribute("data-drawn", drawn or "")
    expect(total).to_have_count(0)
    assert reasons.locator(".cl-part canvas").first.evaluate("canvas => canvas.toDataURL()") != before
    second = reasons.locator(".cl-pick").nth(1)
    name = second.get_attribute("aria-label") or ""
    second.click()
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(reasons.locator("figcaption").nth(1)).to_have_text(name)
    expect(reasons.locator(".cl-chips input:checked")).to_have_value("occlusion")  # the choice stays
    page.get_by_role("button", name="Sketch: fish").click()
    expect(reasons.locator("figcaption").first).to_have_text("your image")
    expect(reasons.locator(".cl-pick").first).to_have_attribute("aria-pressed", "true")


def test_an_answer_is_left_out_and_comes_back(page: Page) -> None:
    cells = page.locator(ANSWERS).first.locator(".cl-cell")
    first = cells.first.locator("img").get_attribute("alt") or ""
    cells.first.hover()
    page.get_by_role("button", name=f"Leave out of the answers: {first}").first.click()
    back = page.get_by_role("button", name="Show again what was left out (1)")
    expect(back).to_be_visible()
    expect(page.locator(ANSWERS).first.locator(f"img[alt='{first}']")).to_have_count(0)
    back.click()
    expect(cells.first.locator("img")).to_have_attribute("alt", first)
    expect(back).to_be_hidden()


def test_answers_of_one_family_stay_limited_when_the_link_is_opened_again(page: Page) -> None:
    expect(page.locator(ANSWERS)).to_have_count(3)
    page.locator("#search-among input").click()
    page.get_by_role("option", name=re.compile("^animals & nature")).click()
    expect(page).to_have_url(re.compile("among=family-3"))
    names = page.locator(ANSWERS).first.locator(".cl-cell .cl-caption")
    expect(names.first).not_to_have_text("high brightness symbol")
    limited = names.all_inner_texts()
    page.reload()
    expect(names).to_have_text(limited)
    page.locator("#search-among input").click()
    page.keyboard.press("Backspace")  # Gradio reports this as a change, not as an input
    expect(names.first).to_have_text("high brightness symbol")


@pytest.mark.parametrize("kind", ["Near-duplicates", "Odd ones out", "Doubtful labels"])
def test_images_worth_a_second_look_and_from_there_to_a_search(page: Page, kind: str) -> None:
    expect(page.locator(ANSWERS)).to_have_count(3)
    page.locator("#search-find").get_by_text(kind).click()
    expect(page.locator(ANSWERS)).to_have_count(1)
    expect(page.locator(f"{ANSWERS} .cl-title")).to_have_text(kind)
    items = page.locator(f"{ANSWERS} .cl-item")
    expect(items).to_have_count(48)
    expect(items.first.locator("img")).to_have_count(2 if kind == "Near-duplicates" else 1)
    expect(page.locator("#search-why")).to_be_hidden()
    items.first.click()
    expect(page.locator(ANSWERS)).to_have_count(3)
    expect(page.get_by_role("radio", name="Similar images")).to_be_checked()
    expect(page.locator("#search-why")).to_contain_text("Why is it similar?")
    expect(page.get_by_role("button", name="Back to the query before")).to_be_visible()
