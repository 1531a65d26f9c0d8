"""Latin text on the Chinese page, which has none beside names and signs."""

from __future__ import annotations

import re

from playwright.sync_api import Page

from cl_core.explore.model_store import ModelStore
from cl_core.networks.methods import METHODS
from cl_core.runs.config import RunConfig

WORD = re.compile(r"[A-Za-z][A-Za-z'’./_-]*(?: [A-Za-z][A-Za-z'’./_-]*)*")
NAMES = {
    *("NCE", "InfoNCE", "NT-Xent", "SimCLR", "SimSiam", "SupCon", "MoCo", "WordNet", "Noto Emoji", "Fashion-MNIST", "MNIST"),
    *("PCA", "UMAP", "t-SNE", "kNN", "k-means", "softmax", "CIFAR-", "Hub", "Hugging Face Hub", "timm", "ImageNet", "CLIP"),
    *("GPU", "GB", "MB", "cpu", "cuda", "PNG", "SVG", "CSV", "English", "Enter", "Esc", "Shift", "logit", "HF_TOKEN", "ResNet-"),
    *("OK", "BMP", "GIF", "JPEG", "TIFF", "WebP", "zip", "tar", "train", "test"),
    *("BYOL", "Barlow Twins", "VICReg", "DCL", "HCL", "SigLIP", "medium-resnet", "fast-resnet", "muon"),
    *("CPC", "CLIP", "EM", "Damrich", "Z", "ln Z", "k q"),
    *("OWNER/NAME", "REVISION", "hf auth login", "python", "cnn", "small-resnet", "resnet", "apache-", "Stylianou"),
}
# Formulas, commands and units.
SIGNS = re.compile(r"^(?:[a-z]|exp|log|ln|es|k es|top-|σ|m cl_core.*|help|[a-z]+\d*)$")
FORMULAS = ".cl-formula, .cl-symbols, code, .main-svg, .cl-plot, #words-map, #words-answers, [role=option], input, .glossary"
FORMULAS += ", #images-facts"  # title and license of a data set


def english(page: Page, tab: str) -> list[str]:
    """Latin text on an open tab of the Chinese page, beyond names and signs."""
    if tab == "words":  # its data are English words
        return []
    allowed = NAMES | set(ModelStore().names()) | set(METHODS)
    return [word for word in words(page) if word not in allowed and not SIGNS.match(word) and not settings(word)]


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
