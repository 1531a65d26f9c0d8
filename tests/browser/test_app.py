"""Every view opened in a browser, and what a person would do in it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from cl_core.data.registry import load_dataset
from cl_core.explore.model_store import ModelStore
from cl_core.runs.store import find_run
from cl_core.text import text
from cl_core.ui.images import to_image
from cl_core.words.anatomy import step_anatomy
from cl_core.words.folder import find_words, open_words
from cl_core.words.similarity import WordSpace
from tests.browser.conftest import open_tab, screenshot

WORDS = open_words(find_words("words-wordnet"))
DARK = "rgb(10, 15, 30)"


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face as a person would draw it: transparent around, in no data set."""
    image = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    pen.ellipse((8, 8, 152, 152), fill="#ffd93b", outline="#d9a400", width=4)
    pen.ellipse((48, 50, 64, 76), fill="#4a3000")
    pen.ellipse((96, 50, 112, 76), fill="#4a3000")
    pen.chord((40, 70, 120, 130), 0, 180, fill="#7a2a00")
    file = tmp_path_factory.mktemp("images") / "face.png"
    image.save(file)
    return file


@pytest.fixture(scope="module")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("images") / "notes.png"
    file.write_text("this is no image")
    return file


def sources(page: Page) -> list[str | None]:
    return [image.get_attribute("src") for image in page.locator("#views-view img").all()]


def drawn(page: Page, view: str) -> None:
    page.wait_for_selector(f"#{view} .cl-root[data-drawn]")


@pytest.mark.opens("views")
def test_pairs(page: Page, drawing: Path) -> None:
    expect(page.locator("#views-view figcaption").first).to_have_text("grinning face")
    expect(page.locator("#views-view .cl-box")).to_have_count(2)
    expect(page.locator("#views-view .cl-steps").first).to_contain_text("of the image")
    screenshot(page, "views")
    before = sources(page)
    page.get_by_role("button", name="Draw two new views").click()
    expect(page.locator("#views-view img").nth(1)).not_to_have_attribute("src", before[1] or "")
    assert sources(page)[0] == before[0]
    page.locator("#views-upload input[type=file]").set_input_files(drawing)
    expect(page.locator("#views-view figcaption").first).to_have_text("your image")


@pytest.mark.opens("views")
def test_pairs_without_augmentation_are_the_image(page: Page) -> None:
    for label in ("Color change", "Chance of blur", "Chance of losing all color", "Chance of a mirror image"):
        if label == "Chance of blur":
            page.get_by_role("button", name="Flip, gray, blur").click()
        page.get_by_label(f"number input for {label}").fill("0")
        page.keyboard.press("Tab")
    page.get_by_label("number input for Smallest crop").fill("1")
    page.keyboard.press("Tab")
    for steps in page.locator("#views-view .cl-steps").all():
        expect(steps.locator("li")).to_have_count(1)
        expect(steps).to_contain_text("cropped to 100% of the image")


@pytest.mark.opens("views")
def test_a_file_that_is_no_image_gets_a_notice_and_changes_nothing(page: Page, text_file: Path) -> None:
    before = sources(page)
    page.locator("#views-upload input[type=file]").set_input_files(text_file)
    expect(page.get_by_text("This file is not an image; PNG, JPEG")).to_be_visible()
    assert sources(page) == before


@pytest.mark.opens("search")
def test_after_a_notice_the_app_goes_on(page: Page, text_file: Path, drawing: Path) -> None:
    upload = page.locator("#search-upload input[type=file]")
    upload.set_input_files(text_file)
    # Quicker than a person: what the opening tab still asks for is answered with the same notice.
    expect(page.get_by_text("This file is not an image; PNG, JPEG").first).to_be_visible()
    page.locator("#search-upload").get_by_role("button", name="Remove Image").click()
    page.locator("#search-upload input[type=file]").set_input_files(drawing)
    expect(page.locator("#search-view .cl-row")).to_have_count(3)


@pytest.mark.opens("curves")
def test_curves(page: Page) -> None:
    drawn(page, "curves-view")
    expect(page.get_by_text("queries against 1,911 images")).to_be_visible()
    screenshot(page, "curves")
    choose(page, "fashion-cross-entropy")  # its accuracies lie within a few percents
    expect(page.locator(".prose.summary:visible", has_text="fashion-cross-entropy")).to_be_visible()
    marks = "(axes) => axes.map((axis) => [...axis.querySelectorAll('.ytick text')].map((mark) => mark.textContent))"
    read = page.locator("#curves-view .yaxislayer-above").evaluate_all(marks)
    assert read and all(len(set(axis)) == len(axis) for axis in read), read
    assert any(mark.endswith("%") for axis in read for mark in axis)


def choose(page: Page, model: str) -> None:
    page.get_by_label("Model").click()
    page.get_by_role("option", name=model, exact=True).click()


@pytest.mark.opens("loss")
def test_every_model_can_be_chosen_in_the_matrix(page: Page) -> None:
    """Method by method, what it compares is said in words and drawn."""
    drawn(page, "loss-view")
    one_a_method = {find_run(name).read_record().config.method: name for name in reversed(ModelStore().names()[1:])}
    for model in one_a_method.values():
        before = page.locator("#loss-view .cl-root").get_attribute("data-drawn") or ""
        choose(page, model)
        expect(page.locator("#loss-view .cl-root")).not_to_have_attribute("data-drawn", before)
        name = text(f"methods.{find_run(model).read_record().config.method}", t="").split("**")[1]
        expect(page.locator("#loss-view .cl-summary", has_text=name)).to_be_visible()


@pytest.mark.opens("curves")
def test_a_collapse_is_called_one(page: Page) -> None:
    choose(page, "emoji-simsiam-no-stop-gradient")
    expect(page.get_by_text("It has collapsed:")).to_be_visible()
    expect(page.locator("#curves-view .legendtext", has_text="lowest possible, −1")).to_be_visible()
    expect(page.locator("#curves-view .legendtext", has_text="spread evenly, 1/√d")).to_be_visible()
    screenshot(page, "collapse")


@pytest.mark.opens("search")
def test_search(page: Page, drawing: Path) -> None:
    rows = page.locator("#search-view .cl-row")
    page.locator("#search-upload input[type=file]").set_input_files(drawing)
    expect(rows.locator(".cl-caption").first).to_have_text("your image")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("Trained")
    expect(rows.nth(2)).to_contain_text("Raw pixels")
    for row in rows.all():
        expect(row.locator(".cl-item")).to_have_count(9)  # the query and eight answers
    names = [item.inner_text() for item in rows.nth(0).locator(".cl-caption").all()]
    data = load_dataset("emoji")
    smileys = {n for n, f in zip(data.names, data.families.tolist(), strict=True) if data.family_names[f] == "Smileys & Emotion"}
    assert sum(name in smileys for name in names) >= 5, names
    screenshot(page, "search")


@pytest.mark.opens("search")
def test_an_uploaded_emoji_finds_itself(page: Page, tmp_path: Path) -> None:
    data = load_dataset("emoji")
    row = data.ids.index("1F436")
    to_image(data.images[row]).resize((200, 200)).save(tmp_path / "dog.jpg")
    page.locator("#search-upload input[type=file]").set_input_files(tmp_path / "dog.jpg")
    expect(page.locator("#search-view .cl-row").first.locator(".cl-caption").nth(1)).to_have_text("dog face")


@pytest.mark.opens("search")
def test_a_text_called_jpg_clears_the_answers_and_says_why(page: Page, tmp_path: Path, drawing: Path) -> None:
    text_as_jpg = tmp_path / "notes.jpg"
    text_as_jpg.write_text("this is no image")
    upload = page.locator("#search-upload input[type=file]")
    upload.set_input_files(drawing)
    expect(page.locator("#search-view .cl-row")).to_have_count(3)
    page.locator("#search-upload").get_by_role("button", name="Remove Image").click()
    upload.set_input_files(text_as_jpg)
    expect(page.locator(".toast-body")).to_contain_text("not an image")
    expect(page.locator("#search-view .cl-row")).to_have_count(0)
    expect(page.locator("#search-view .cl-empty")).to_contain_text("not an image")


@pytest.mark.opens("views")
def test_a_number_typed_into_a_slider_waits_until_it_is_in_range(page: Page) -> None:
    """The 0 of 0.5 is below the least crop, and Gradio would answer it and an empty box with an error."""
    box = page.get_by_label("number input for Smallest crop")
    for typed, crop in (("0.5", "0.5"), ("", "0.5"), ("7", "1")):
        box.click()
        box.press("ControlOrMeta+a")
        box.press("Delete")
        box.press_sequentially(typed, delay=150)
        box.press("Tab")
        expect(box).to_have_value(crop)
        expect(page).to_have_url(re.compile(f"crop={crop}$"))
    expect(page.locator(".toast-body")).to_have_count(0)
    expect(page.locator("#views-view .cl-problem")).to_be_empty()


@pytest.mark.opens("loss")
def test_an_error_stands_in_the_place_of_the_view(page: Page, app_runs: Path, small_run: Path) -> None:
    """Under the name of a damaged model there are no numbers of the one before."""
    shutil.copytree(small_run, app_runs / "damaged")
    weights = app_runs / "damaged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    try:
        page.reload()  # the menu lists it
        drawn(page, "loss-view")
        page.get_by_label("Model").click()
        page.get_by_role("option", name="damaged").click()
        expect(page.locator("#loss-view [role=alert]")).to_contain_text("model.safetensors")
        expect(page.locator("#loss-view .cl-root")).to_be_hidden()
        expect(page.locator("#loss-view[aria-busy=true]")).to_have_count(0)
        page.get_by_label("Model").click()
        page.get_by_role("option", name="emoji-simclr", exact=True).click()
        expect(page.locator("#loss-view .cl-root")).to_be_visible()
        expect(page.locator("#loss-view [role=alert]")).to_be_empty()
    finally:
        shutil.rmtree(app_runs / "damaged")


@pytest.mark.opens("views")
def test_the_other_model(page: Page) -> None:
    page.get_by_label("Model").click()
    page.get_by_role("option", name="fashion-simclr").click()
    expect(page.locator("#views-view figcaption").first).not_to_have_text("grinning face")
    open_tab(page, "Loss")
    drawn(page, "loss-view")


def test_light_and_dark(page: Page) -> None:
    expect(page.locator("gradio-app")).to_have_css("background-color", "rgb(248, 250, 252)")
    page.get_by_role("button", name="Light / dark").click()
    expect(page.locator("gradio-app")).to_have_css("background-color", DARK)
    open_tab(page, "Loss")
    drawn(page, "loss-view")
    screenshot(page, "loss-dark")


@pytest.mark.opens("words")
def test_words(page: Page) -> None:
    drawn(page, "words-neighborhood")
    drawn(page, "words-map")
    expect(page.get_by_text("Words most like “violin”")).to_be_visible()
    space = WordSpace.of(WORDS.vocabulary, WORDS.vectors)
    bars = page.locator("#words-neighborhood .ytick text")
    expect(bars.last).to_have_text(space.similar("violin", 1)[0].word)
    screenshot(page, "words")
    page.get_by_role("button", name="dog cat").click()
    expect(page.get_by_text(f"is {space.cosine('dog', 'cat'):+.3f}")).to_be_visible()
    page.get_by_label("Ask").fill("king - man + woman")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"king - man + woman ≈ {space.analogy(['king', 'woman'], ['man'], 1)[0].word}")).to_be_visible()
    page.get_by_label("Ask").fill("volin")
    page.keyboard.press("Enter")
    expect(page.get_by_text("'volin' is not in the vocabulary; did you mean violin")).to_be_visible()
    expect(page.get_by_text("king - man + woman ≈")).to_be_visible()


@pytest.mark.opens("words")
def test_a_word_of_the_map_is_shown_and_asked_for(page: Page) -> None:
    drawn(page, "words-map")
    words = WORDS.vocabulary.words
    page.locator("#words-map").scroll_into_view_if_needed()
    plot = page.locator("#words-map .nsewdrag").first.bounding_box()
    assert plot
    card = page.locator("#words-map .cl-card")
    for shift in range(0, 200, 3):  # a point is met sooner or later
        page.mouse.move(plot["x"] + plot["width"] / 2 + shift, plot["y"] + plot["height"] / 2)
        page.wait_for_timeout(30)
        if card.is_visible():
            break
    expect(card).to_be_visible()
    word = card.locator(".cl-role").inner_text()
    assert word in words
    near = [answer.word for answer in WordSpace.of(WORDS.vocabulary, WORDS.vectors).similar(word, 5)]
    expect(card).to_contain_text(", ".join(near))
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_label("Ask")).to_have_value(word)
    expect(page.get_by_text(f"Words most like “{word}”")).to_be_visible()


@pytest.mark.opens("words")
def test_noise_step_and_cost_of_words(page: Page) -> None:
    open_tab(page, "Training", "#words-views")
    drawn(page, "words-curves")
    log_z = WORDS.record.metrics["log_z"]
    expect(page.get_by_text(f"{log_z['mean']:+.2f} ± {log_z['std']:.2f}")).to_be_visible()
    open_tab(page, "Noise", "#words-views")
    drawn(page, "words-noise")
    page.get_by_label("number input for Power").fill("0")
    page.keyboard.press("Tab")
    first, last = WORDS.vocabulary.words[0], WORDS.vocabulary.words[-1]
    expect(page.get_by_text(f"“{first}” is drawn 1 times as often as “{last}”")).to_be_visible()
    open_tab(page, "One step", "#words-views")
    drawn(page, "words-step")
    numbers = WORDS.vocabulary.index_of("dog"), WORDS.vocabulary.index_of("cat")
    parts = step_anatomy(WORDS.vectors, WORDS.record.config, WORDS.vocabulary, *numbers, seed=1)
    expect(page.get_by_text(f"The step costs {parts.loss:.2f} nats")).to_be_visible()
    bars = page.locator("#words-step .cl-plot").first.locator(".bartext")
    assert (bars.nth(1).text_content() or "").replace("−", "-") == f"{float(parts.score[1]):+.2f}"
    screenshot(page, "words-step")
    page.get_by_label("Context word").fill("qwertz")
    page.keyboard.press("Enter")
    expect(page.get_by_text("'qwertz' is not in the vocabulary")).to_be_visible()
    open_tab(page, "Cost", "#words-views")
    expect(page.get_by_text("With 64,000 words, a pair takes")).to_be_visible()
    drawn(page, "words-cost")
    screenshot(page, "words-cost")
