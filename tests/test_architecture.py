"""The rules of the house that a listing of imports can hold."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest

from cl_core.ui.text import FIRST, LANGUAGES
from tests.conftest import ROOT

PACKAGE = ROOT / "cl_core"
# Each room may import from those before it; what is not named stands beside them, below `ui`.
ORDER = ["losses", "encoders", "heads", "methods", "training", "words"]


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def room(module: str) -> str:
    return module.split(".")[1] if module.startswith("cl_core.") else ""


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", MODULES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_point_one_way(file: Path) -> None:
    own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imports(file):
        if own != "ui":
            assert room(module) != "ui", f"{own} imports {module}"
            assert module.split(".")[0] != "gradio", f"{own} imports Gradio"
        if own in ORDER and room(module) in ORDER:
            assert ORDER.index(room(module)) <= ORDER.index(own), f"{own} imports {module}"
        if own == "losses":
            known = {"__future__", "torch"} | sys.stdlib_module_names
            assert module.split(".")[0] in known or room(module) == "losses", module


def test_no_pickle_is_read() -> None:
    for file in MODULES:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"torch\.load\(|import pickle|allow_pickle=True", text), file


def test_every_text_is_used_and_every_used_text_exists() -> None:
    texts = json.loads((PACKAGE / "ui" / "locales" / "en.json").read_text(encoding="utf-8"))
    source = "\n".join(file.read_text(encoding="utf-8") for file in (PACKAGE / "ui").rglob("*.py"))
    exact = set(re.findall(r"""\btext\(\s*["']([\w.]+)["']""", source))
    starts = set(re.findall(r'\btext\(\s*f"([\w.]+)\{', source)) | {
        f"{p}." for p in re.findall(r'\btexts\(\s*"([\w.]+)"', source)
    }
    assert exact <= texts.keys(), exact - texts.keys()
    unused = {key for key in texts if key not in exact and not any(key.startswith(start) for start in starts)}
    assert not unused


def test_every_language_says_everything() -> None:
    locales = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (PACKAGE / "ui" / "locales").glob("*.json")}
    assert set(locales) == set(LANGUAGES)
    first = locales[FIRST]
    for language, texts in locales.items():
        assert list(texts) == list(first), language
        for key, text in texts.items():
            # The same numbers and names go in, and emphasis is not lost.
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", first[key])), (language, key)
            assert text.strip(), (language, key)


def test_nothing_is_fetched_from_elsewhere() -> None:
    for file in [*(PACKAGE / "ui").rglob("*.js"), *(PACKAGE / "ui").rglob("*.css"), *(PACKAGE / "ui").rglob("*.py")]:
        # The name of SVG as a language looks like an address.
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", file.read_text(encoding="utf-8")), file
