"""The Chinese page is Chinese: beside names and signs it has no Latin text."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page

from cl_core.explore.model_store import ModelStore
from cl_core.networks.methods import METHODS
from cl_core.runs.config import RunConfig
from cl_core.ui.navigation import TABS
from tests.browser.conftest import PATIENCE_MS, READY

WORD = re.compile(r"[A-Za-z][A-Za-z'’./_-]*(?: [A-Za-z][A-Za-z'’./_-]*)*")
NAMES = {
    *("NCE", "InfoNCE", "NT-Xent", "SimCLR", "SimSiam", "SupCon", "MoCo", "WordNet", "Noto Emoji", "Fashion-MNIST", "MNIST"),
    *("PCA", "UMAP", "t-SNE", "kNN", "k-means", "softmax", "CIFAR-", "Hub", "Hugging Face Hub", "timm", "ImageNet", "CLIP"),
    *("GPU", "GB", "MB", "cpu", "cuda", "PNG", "SVG", "CSV", "English", "Enter", "Shift", "HF_TOKEN", "ResNet-"),
    *("OK", "BMP", "GIF", "JPEG", "TIFF", "WebP", "zip", "tar", "train", "test"),
    *("BYOL", "Barlow Twins", "VICReg", "DCL", "HCL", "SigLIP", "fast-resnet", "muon"),
    *("CPC", "CLIP", "EM", "Damrich", "Z", "ln Z", "k q"),
    *("OWNER/NAME", "REVISION", "hf auth login", "python", "cnn", "small-resnet", "resnet", "apache-", "Stylianou"),
}
# Formulas, commands and units.
SIGNS = re.compile(r"^(?:[a-z]|exp|log|ln|es|k es|top-|σ|m cl_core.*|help|[a-z]+\d*)$")
FORMULAS = ".cl-formula, .cl-symbols, code, .main-svg, .cl-plot, #words-map, #words-answers, [role=option], input, .glossary"
FORMULAS += ", #images-facts"  # title and license of a data set


def test_there_is_no_english_sentence_on_the_chinese_page(browser: Browser, app_url: str) -> None:
    page = browser.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN", reduced_motion="reduce").new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{app_url}zh?tab={TABS[0]}&query=dog+face")
    allowed = NAMES | set(ModelStore().names()) | set(METHODS)
    found: dict[str, list[str]] = {}
    for tab in TABS:
        if tab == "words":  # its data are English words
            continue
        page.evaluate("(tab) => contrastiveLink.goTo(tab)", tab)
        page.wait_for_selector("#search-view .cl-row" if tab == "search" else READY[tab])
        page.wait_for_timeout(800)
        found[tab] = [word for word in words(page) if word not in allowed and not SIGNS.match(word) and not settings(word)]
    page.context.close()
    assert not any(found.values()), found


def settings(phrase: str) -> bool:
    """Whether a phrase consists of names of settings and of methods, as Compare lists them."""
    return all(part in RunConfig.model_fields or part in METHODS for part in phrase.split())


def words(page: Page) -> list[str]:
    """Latin words that the page shows, without formulas and figures."""
    shown: str = page.evaluate(
        """(left) => {
          const visible = [];
          const walk = (node) => {
            if (node.nodeType === 3) visible.push(node.textContent);
            else if (node.nodeType === 1 && !node.matches(left) && node.checkVisibility()) node.childNodes.forEach(walk);
          };
          walk(document.querySelector(".gradio-container"));
          return visible.join("\\n");
        }""",
        FORMULAS,
    )
    return sorted({word for line in shown.split("\n") for word in WORD.findall(line)})
