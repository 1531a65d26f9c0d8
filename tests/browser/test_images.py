"""The tab Images: a folder, an archive, an import that is stopped, and visitors who do not see each other's."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from cl_core.data.registry import load_dataset
from cl_core.ui.images import to_image
from tests.browser.conftest import READY, open_tab, opened, running_app, screenshot

pytestmark = pytest.mark.opens("images")

DONE, MENU = "#images-status .work-done", "#images-look input"


@pytest.fixture(scope="module")
def app_url(tmp_path_factory: pytest.TempPathFactory, private_cache: Callable[[], str]) -> Iterator[str]:
    """An app of its own: what is imported here is no other test's."""
    folder = tmp_path_factory.mktemp("app")
    environment = os.environ | {"CL_RUNS_DIR": str(folder / "runs"), "CL_CACHE_DIR": private_cache()}
    with running_app(folder / "log", ["app.py"], environment) as url:
        yield url


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two classes in two splits, a copy in both, a broken file and one that is no image."""
    folder, data = tmp_path_factory.mktemp("images") / "My pets", load_dataset("emoji")
    for split, part in (("train", slice(0, 8)), ("test", slice(8, 11))):
        for word in ("cat", "dog"):
            below = folder / split / f"{word} 猫"
            below.mkdir(parents=True)
            rows = [row for row, name in enumerate(data.names) if re.search(rf"\b{word}", name)]
            for row in rows[part]:
                to_image(data.images[row]).save(below / f"{row}.png")
    first = next((folder / "train" / "cat 猫").iterdir())
    Image.open(first).convert("RGB").save(folder / "test" / "cat 猫" / "copy.jpg")
    (folder / "train" / "broken.png").write_bytes(b"\x89PNG broken")
    (folder / "notes.txt").write_text("no image")
    return folder


def choose(page: Page, button: str, path: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button).click()
    chooser.value.set_files(path)


def drop(page: Page, path: Path) -> None:
    """Drag a file or folder onto the page's field and let it go, as the browser reports it."""
    zone = page.locator("#images-drop .cl-drop")
    zone.scroll_into_view_if_needed()
    box = zone.bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 20}
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def test_a_folder_is_imported_looked_at_trained_on_and_removed(page: Page, photos: Path) -> None:
    drop(page, photos)
    expect(page.locator(DONE)).to_have_text("My pets is ready.")
    expect(page.locator("#images-drop .cl-drop-text")).to_have_text("Uploaded. Files that are not images were left out: 1.")
    expect(page.locator("#images-status summary")).to_have_text("Files that cannot be read: 1")
    facts = page.locator("#images-facts")
    expect(facts).to_contain_text("My pets.")
    expect(facts).to_contain_text("Classes: 2")
    expect(page.locator("#images-rows .cl-row").first).to_contain_text("猫")
    expect(page.locator("#images-copies .cl-row").first).to_contain_text("In both train and test: 1")
    assert "look=my-pets" in page.url
    screenshot(page, "images")
    page.get_by_role("button", name="Train on these images").click()
    expect(page.locator("input[aria-label='Images']")).to_have_value("my-pets")
    expect(page).to_have_url(re.compile("tab=train"))
    open_tab(page, "Images")
    page.locator("#images-remove").click()
    expect(page.locator(MENU)).not_to_have_value("my-pets")
    page.locator("#images-undo").click()
    expect(page.locator(MENU)).to_have_value("my-pets")
    expect(facts).to_contain_text("My pets.")
    page.locator("#images-remove").click()
    expect(page.locator(MENU)).not_to_have_value("my-pets")


def test_an_archive_keeps_its_name_and_folders(page: Page, photos: Path, tmp_path: Path) -> None:
    archive = tmp_path / "birds.v2.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(photos.rglob("*.png")):
            packed.write(file, file.relative_to(photos))
    drop(page, archive)
    expect(page.locator(DONE)).to_have_text("birds.v2 is ready.")
    expect(page.locator(MENU)).to_have_value("birds-v2")
    expect(page.locator("#images-facts")).to_contain_text("to test")
    page.locator("#images-remove").click()
    expect(page.locator(MENU)).not_to_have_value("birds-v2")


def test_what_is_no_set_of_images_gets_a_sentence(page: Page, tmp_path: Path) -> None:
    for name, content, said in (
        ("photos.zip", b"no archive", "is neither a folder nor"),
        ("notes.txt", b"text", "There is no image and no archive among these files."),
        ("one.png", b"\x89PNG", "fewer than two|too few|at least two|cannot be read|no image"),
    ):
        (tmp_path / name).write_bytes(content)
        choose(page, "Choose files", tmp_path / name)
        expect(page.locator("#images-drop, #images-status").filter(has_text=re.compile(said))).to_have_count(1)


def test_an_import_is_found_by_a_page_opened_later_and_stopped_there(page: Page, app_url: str, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.mkdir()
    Image.effect_noise((3000, 2000), 80).save(slow / "0.png")
    for i in range(1, 400):
        os.link(slow / "0.png", slow / f"{i}.png")
    page.locator("#images-elsewhere button").first.click()
    page.get_by_label("Folder or archive on this computer").fill(str(slow))
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#images-status")).to_contain_text("of the files read")
    page.goto(f"{app_url}?tab=images")
    expect(page.locator("#images-status")).to_contain_text("of the files read")
    page.get_by_role("button", name="Stop the import").click()
    expect(page.locator(DONE)).to_have_text("The import was stopped; nothing was stored.")
    expect(page.get_by_role("button", name="Stop the import")).to_be_hidden()


def test_visitors_see_only_their_own(browser: Browser, photos: Path, tmp_path: Path, private_cache: Callable[[], str]) -> None:
    environment = os.environ | {"CL_RUNS_DIR": str(tmp_path / "runs"), "CL_UPLOAD_MB": "1", "CL_CACHE_DIR": private_cache()}
    with running_app(tmp_path / "log", ["app.py", "--allow-host", "elsewhere.example"], environment) as url:
        contexts = [browser.new_context(reduced_motion="reduce") for _ in range(2)]
        pages = [opened(context, url, "light") for context in contexts]
        first, second = (next(each) for each in pages)
        for page in (first, second):
            open_tab(page, "Images")
            page.wait_for_selector(READY["images"])
            expect(page.locator("#images-elsewhere")).to_have_count(0)
        choose(first, "Choose a folder", photos)
        expect(first.locator(DONE)).to_have_text("My pets is ready.")
        name = first.locator(MENU).input_value()
        assert re.fullmatch(r"my-pets-[0-9a-f]{16}", name)
        second.goto(f"{url}?tab=images&look={name}")
        second.wait_for_selector(READY["images"])
        expect(second.locator(MENU)).not_to_have_value(name)
        second.locator(MENU).click()
        options = second.get_by_role("option")
        expect(options.first).to_be_visible()
        assert name not in options.all_inner_texts()
        first.reload()
        expect(first.locator(MENU)).to_have_value(name)
        (tmp_path / "large.zip").write_bytes(bytes(1_100_000))
        second.keyboard.press("Escape")
        choose(second, "Choose files", tmp_path / "large.zip")
        expect(second.locator("#images-drop .cl-drop-text")).to_have_text(re.compile("This is 2 MB, and at most 1 MB"))
        for each in pages:
            next(each, None)
        for context in contexts:
            context.close()


def test_methods_are_compared_and_the_best_is_trained_longer(page: Page, photos: Path, tmp_path: Path) -> None:
    small = tmp_path / "My pets"
    for file in photos.glob("*/*/*.png"):
        (small / file.relative_to(photos)).parent.mkdir(parents=True, exist_ok=True)
        Image.open(file).resize((16, 16)).save(small / file.relative_to(photos))
    choose(page, "Choose a folder", small)
    expect(page.locator(DONE)).to_have_text("My pets is ready.")
    expect(page.locator(MENU)).to_have_value(re.compile("my-pets"))
    name = page.locator(MENU).input_value()
    page.locator("#images-which").click()
    expect(page.get_by_role("button", name="Compare methods")).to_be_in_viewport()
    for method in ("MoCo", "SupCon", "SimSiam"):
        page.locator("#comparison-methods").get_by_label(method, exact=True).uncheck()
    page.get_by_label("number input for Minutes").fill("2")
    page.get_by_role("button", name="Compare methods").click()
    expect(page.locator("#comparison-status progress")).to_be_visible()
    expect(page.locator("#comparison-table tbody tr").first).to_be_visible()
    page.locator("#comparison-stop").click()
    expect(page.locator("#comparison-status .work-done")).to_contain_text("press Resume")
    page.reload()
    page.wait_for_selector(READY["images"])
    expect(page.locator(MENU)).to_have_value(name)
    page.locator("#comparison-resume").click()
    expect(page.locator("#comparison-status .work-done")).to_contain_text("Compared in", timeout=180_000)
    expect(page.locator("#comparison-table tbody tr")).to_have_count(3)
    expect(page.locator("#comparison-advice")).to_contain_text("is best:")
    page.wait_for_selector("#comparison-figure .cl-root[data-drawn]")
    best = page.locator("#comparison-table tbody tr td:first-child").filter(has_text=re.compile("^Sim")).first.inner_text()
    page.get_by_role("button", name="Train the best method longer").click()
    expect(page.locator("input[aria-label='Images']")).to_have_value(name)
    expect(page.locator("input[aria-label='Method']")).to_have_value(best.lower())
    open_tab(page, "Images")
    page.locator("#images-remove").click()
    expect(page.locator(MENU)).not_to_have_value(name)


def test_a_model_is_saved_as_a_file(page: Page, tmp_path: Path) -> None:
    open_tab(page, "Models")
    page.wait_for_selector(READY["models"])
    page.locator("#models-save-as input").click()
    page.get_by_role("option", name="Nearest neighbors (.csv)").click()
    page.get_by_role("button", name="Prepare the file").click()
    ready = page.locator("#models-save-download")
    expect(ready).to_contain_text("emoji-simclr-neighbors.csv")
    with page.expect_download() as download:
        ready.click()
    download.value.save_as(tmp_path / "n.csv")
    assert (tmp_path / "n.csv").read_text(encoding="utf-8-sig").startswith("row,name,rank,neighbor")
