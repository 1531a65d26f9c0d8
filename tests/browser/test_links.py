"""Languages, and links that open the same view."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, ViewportSize, expect

from tests.browser.conftest import open_tab, serious

Visit = Callable[..., Page]  # path, locale -> the page


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> dict[str, BrowserContext]:
    """Browsers by language; their caches hold the app's scripts."""
    size: ViewportSize = {"width": 1280, "height": 900}
    return {locale: browser.new_context(viewport=size, locale=locale, reduced_motion="reduce") for locale in ("en-US", "zh-CN")}


@pytest.fixture
def visit(contexts: dict[str, BrowserContext], app_url: str) -> Iterator[Visit]:
    """Open a path of the app as someone with a browser of some language; errors on the console fail."""
    pages: list[Page] = []
    problems: list[str] = []

    def open_page(path: str = "", locale: str = "en-US") -> Page:
        page = contexts[locale].new_page()
        pages.append(page)
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(app_url + path)
        page.wait_for_selector(".cl-root", state="attached")
        return page

    yield open_page
    found = serious(problems)
    for page in pages:
        page.evaluate("localStorage.clear()")
        page.close()
    for context in contexts.values():
        context.clear_cookies()
    assert not found


@pytest.mark.opens("loss")
def test_the_link_opens_the_same_view(page: Page, visit: Visit) -> None:
    page.get_by_label("Model").click()
    page.get_by_role("option", name="emoji-supcon").click()
    page.wait_for_selector("#loss-view .cl-root[data-drawn]")
    page.get_by_label("number input for Images").fill("8")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="New batch").click()
    page.get_by_label("5 −log").check(force=True)
    page.get_by_role("spinbutton", name="Temperature t").fill("0.5")
    expect(page).to_have_url(re.compile("batch=2"))
    page.wait_for_timeout(500)
    expect(page.locator("#loss-view[aria-busy=true]")).to_have_count(0)
    frame = page.locator("#loss-view .cl-frame").nth(1)
    frame.focus()
    page.keyboard.press("ArrowDown")
    expect(page).to_have_url(re.compile(r"cell=1\.1\."))
    details = page.locator("#loss-view .cl-details")
    expect(page.locator("#loss-view .cl-frame canvas").first).to_be_visible()
    page.wait_for_timeout(1500)
    seen, query = details.inner_text(), page.url.split("?")[1]
    other = visit(f"?{query}")
    expect(other.get_by_role("tab", name="Loss")).to_have_attribute("aria-selected", "true")
    expect(other.get_by_label("5 −log")).to_be_checked()
    expect(details).to_have_text(seen, use_inner_text=True)
    expect(other.locator("#loss-view .cl-details")).to_have_text(seen, use_inner_text=True)
    in_chinese = visit(f"zh?{query}")
    expect(in_chinese.locator("#loss-view .cl-details")).to_contain_text("这一行的损失")
    expect(in_chinese.locator("#loss-view [data-fact=loss] dd")).to_have_text(
        page.locator("#loss-view [data-fact=loss] dd").inner_text()
    )


def test_a_hostile_link_gives_a_notice_and_the_defaults(visit: Visit) -> None:
    page = visit("?model=../../etc&tab=%3Cscript%3E&count=9e99&batch=-4&cell=7.7.7&stage=x&t=-1&image=%00")
    notice = page.locator(".toast-body")
    expect(notice).to_contain_text("Parts of this link could not be understood")
    for name in ("model", "tab", "count", "batch", "cell", "stage", "t", "image"):
        expect(notice).to_contain_text(re.compile(rf"[(, ]{name}[,)]"))
    expect(page.get_by_role("tab", name="Start")).to_have_attribute("aria-selected", "true")
    expect(page).not_to_have_url(re.compile("tab=(?!start)"))
    open_tab(page, "Views")
    expect(page.locator("#views-view figcaption").first).to_have_text("grinning face")
    open_tab(page, "Loss")
    expect(page.locator("#loss-view [data-fact=loss] dd")).to_be_visible()


def test_the_link_stays_as_it_is_until_the_server_has_read_it(browser: Browser, app_url: str) -> None:
    page = browser.new_page()
    held: list[Route] = []
    page.route("**/queue/join*", lambda route: held.append(route))
    page.goto(app_url + "?tab=nowhere&count=8")
    expect(page.get_by_role("tab", name="Start")).to_have_attribute("aria-selected", "true")
    page.wait_for_timeout(1000)  # the address is written 200 ms after a control moves
    assert held
    assert page.url.endswith("?tab=nowhere&count=8")
    page.unroute("**/queue/join*")  # what was held goes on
    expect(page).to_have_url(re.compile(r"\?count=8&tab=start$"))
    expect(page.locator(".toast-body")).to_contain_text("(tab)")
    page.close()


def test_the_browser_chooses_the_language_and_the_switch_overrules_it(visit: Visit) -> None:
    page = visit("?tab=loss&count=8", "zh-CN")
    expect(page).to_have_url(re.compile(r"/zh\?.*tab=loss"))
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.evaluate("navigator.language") == "zh-CN"
    expect(page.get_by_role("tab", name="损失")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#loss-view .cl-details")).to_contain_text("余弦")
    page.wait_for_timeout(1500)  # what the page still asks for would be cut off
    page.get_by_role("button", name="English").click()
    expect(page).to_have_url(re.compile(r"/\?.*tab=loss"))
    assert page.evaluate("navigator.language") == "en", "Gradio's words are English, too"
    expect(page.get_by_role("tab", name="Loss")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("number input for Images")).to_have_value("8")
    page.reload()
    expect(page).not_to_have_url(re.compile("/zh"))
    expect(page.get_by_role("tab", name="Loss")).to_be_visible()


def test_without_storage_the_switch_still_leads_to_english(browser: Browser, app_url: str) -> None:
    """As in a frame of another site's page, where browsers block storage."""
    context = browser.new_context(locale="zh-CN", reduced_motion="reduce")
    context.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked'); } })")
    page = context.new_page()
    page.goto(app_url)
    expect(page).to_have_url(re.compile("/zh"))
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("tab", name="Start")).to_be_visible()
    assert "/zh" not in page.url
    context.close()


def test_every_view_takes_its_state_from_the_link(visit: Visit) -> None:
    page = visit("?tab=map&view=2_0.1_0&off=9&points=images&projector=tsne&color=cluster")
    expect(page.locator("#map-view .cl-root")).to_have_attribute("data-view", re.compile(r"^2\.000 "))
    expect(page.locator("#map-view .cl-legend button").nth(9)).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("radio", name="Images")).to_be_checked()
    expect(page.get_by_role("radio", name="Cluster")).to_be_checked()
    page = visit("?tab=words&words=words-noise&power=0.3")
    expect(page.get_by_role("tab", name="Noise")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("number input for Power")).to_have_value("0.3")
    page = visit("?tab=ablations&experiment=hot&guess=33")
    expect(page.get_by_label("SimCLR at t 10")).to_be_checked()
    expect(page.get_by_label("number input for Your guess")).to_have_value("33")


@pytest.mark.parametrize("query", ["tab=loss&loss=ratio", "tab=loss&loss=example-out", "tab=compare&others=emoji-supcon"])
def test_once_a_link_is_drawn_the_page_is_quiet(visit: Visit, query: str) -> None:
    """Two events that fire together do not call each other again and again."""
    page = visit(f"?{query}")
    view = "#compare-batch" if "compare" in query else "#loss-view"
    page.wait_for_selector(f"{view} .cl-root[data-drawn]")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.wait_for_timeout(500)
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url) if request.method == "POST" else None)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.wait_for_timeout(1500)
    assert len(calls) < 4, calls


def test_the_theme_outlives_a_reload_and_is_not_in_the_link(visit: Visit) -> None:
    page = visit("?tab=loss")
    expect(page.locator("body")).not_to_have_class(re.compile("dark"))
    page.get_by_role("button", name="Light / dark").click()
    expect(page.locator("body")).to_have_class(re.compile("dark"))
    page.reload()
    expect(page.locator("#loss-view [data-fact=loss] dd")).to_be_visible()
    expect(page.locator("body")).to_have_class(re.compile("dark"))
    expect(page).not_to_have_url(re.compile("__theme"))
    expect(page).to_have_url(re.compile("tab=loss"))
    page.goto(page.url.partition("?")[0] + "?__theme=light&tab=loss")  # a link that names a theme has it
    expect(page.locator("#loss-view [data-fact=loss] dd")).to_be_visible()
    expect(page.locator("body")).not_to_have_class(re.compile("dark"))


def test_addresses_of_files_follow_the_prefix_of_a_proxy(page: Page) -> None:
    url = "(root) => { globalThis.gradio_config.root = root; return contrastiveLink.url('/gradio_api/file=/x.js'); }"
    assert page.evaluate(url, "https://example.org/explorer/") == "/explorer/gradio_api/file=/x.js"
    assert page.evaluate(url, "https://example.org") == "/gradio_api/file=/x.js"
    assert page.evaluate("contrastiveLink.url('data:,x')") == "data:,x"
    preload = page.locator("link[rel=modulepreload][href*='/components/']").first.get_attribute("href")
    under = page.evaluate("(href) => new URL(href, 'https://example.org/explorer/zh').pathname", preload)
    assert under.startswith("/explorer/gradio_api/file=/")


def test_back_leads_to_the_tab_before(page: Page) -> None:
    """Not out of the app; and the address is that of the tab, so that it can be copied and reloaded."""
    selected = page.locator("[role=tab][aria-selected=true]").first
    for name in ("Loss", "Temperature"):
        open_tab(page, name)
        expect(page).to_have_url(re.compile(f"tab={name.lower()}"))
    page.locator("#temperature-view").get_by_role("spinbutton").fill("0.5")
    expect(page).to_have_url(re.compile(r"temperature=0\.5"))
    page.go_back()
    expect(selected).to_contain_text("Loss")
    expect(page).to_have_url(re.compile("tab=loss"))
    page.go_back()
    expect(selected).to_contain_text("Start")
    expect(page).not_to_have_url(re.compile("tab=(?!start)"))
    page.go_forward()
    expect(selected).to_contain_text("Loss")
    page.go_forward()
    expect(selected).to_contain_text("Temperature")
    assert page.locator("#temperature-view").get_by_role("spinbutton").input_value() == "0.5", "controls stay as they were"
    open_tab(page, "Map")
    expect(page).to_have_url(re.compile("tab=map"))
    page.go_back()
    expect(selected).to_contain_text("Temperature")


def test_two_quick_steps_back_are_two_tabs_back(page: Page) -> None:
    selected = page.locator("[role=tab][aria-selected=true]").first
    for name in ("Loss", "Temperature", "Curves"):
        open_tab(page, name)
        expect(page).to_have_url(re.compile(f"tab={name.lower()}"))
    page.evaluate("() => { history.back(); setTimeout(() => history.back(), 30); }")
    expect(selected).to_contain_text("Loss")
    page.wait_for_timeout(1500)
    expect(selected).to_contain_text("Loss")
    page.go_forward()
    expect(selected).to_contain_text("Temperature")
    page.go_forward()
    expect(selected).to_contain_text("Curves")


def test_the_tab_of_a_link_is_no_step(page: Page, app_url: str) -> None:
    page.goto("about:blank")
    before = page.evaluate("history.length")
    page.goto(f"{app_url}?tab=loss&count=8")
    expect(page.locator("[role=tab][aria-selected=true]").first).to_contain_text("Loss")
    page.wait_for_timeout(500)
    assert page.evaluate("history.length") == before + 1
    page.go_back()
    assert page.url == "about:blank"
    page.goto(app_url)


def test_a_link_of_an_earlier_version_without_a_tab_leads_to_the_views(visit: Visit) -> None:
    page = visit("?image=dog+face")
    expect(page.get_by_role("tab", name="Views")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#views-view figcaption").first).to_have_text("dog face")


def test_a_link_to_a_point_has_its_lines_and_its_count_is_that_of_all_tabs(visit: Visit) -> None:
    page = visit("?tab=map&point=100&count=8")
    expect(page.locator("#map-neighbors .cl-caption")).to_have_count(9)
    expect(page.get_by_role("button", name="Use it and its neighbors as the batch")).to_be_visible()
    open_tab(page, "Temperature")
    expect(page.locator("#temperature-view .cl-summary")).to_contain_text("8 images, two views each")
