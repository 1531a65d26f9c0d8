"""The rules of the house that a listing of imports can hold."""

from __future__ import annotations

import ast
import functools
import json
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from cl_core.errors import SENTENCES
from cl_core.text import DEFAULT_LANGUAGE, LANGUAGES
from tests.conftest import ROOT

PACKAGE = ROOT / "cl_core"
# From the ground up: each room may import only those before it.
ROOMS = [
    *("text", "errors", "system", "losses", "figures", "data", "augment", "networks", "evaluation", "runs", "training"),
    *("explore", "words", "hub", "imports", "api", "cli", "ui", "__init__", "__main__"),
]
FOR_PEOPLE_WHO_IMPORT = {"losses": {"__future__", "torch"} | sys.stdlib_module_names}


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


@functools.cache
def imports(file: Path) -> set[str]:
    """All that a file imports, wherever it stands in it: modules of ours by their own names, others by their first."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{file}: imports are absolute"
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in modules if name in MODULES}
            if not modules <= MODULES.keys():
                found.add(node.module)
    return found


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


GRAPH = {name: {each for each in imports(file) if each in MODULES and each != name} for name, file in MODULES.items()}


def test_every_room_is_listed_and_every_listed_room_is_there() -> None:
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found == set(ROOMS)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_one_way(name: str) -> None:
    own = room(name)
    for module in imports(MODULES[name]):
        if module in MODULES:
            # What a package of ours re-exports, such as its version, is nobody's upper floor.
            assert module == "cl_core" or ROOMS.index(room(module)) <= ROOMS.index(own), f"{name} imports {module}"
        else:
            assert own == "ui" or module.split(".")[0] != "gradio", f"{name} imports Gradio"
        if own in FOR_PEOPLE_WHO_IMPORT and room(module) != own:
            assert module.split(".")[0] in FOR_PEOPLE_WHO_IMPORT[own], f"{name} imports {module}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        tuple(TopologicalSorter(GRAPH).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_pickle_is_read() -> None:
    for file in MODULES.values():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"torch\.load\(|import pickle|allow_pickle=True", text), file


SPEAKS = r"\b(?:text|refused|UserError|DivergedError|Unreachable|NotFiniteError|_refuse)\("  # what takes the key of a text


def test_every_text_is_used_and_every_used_text_exists() -> None:
    texts = json.loads((PACKAGE / "text" / "en.json").read_text(encoding="utf-8"))
    source = "\n".join(file.read_text(encoding="utf-8") for file in [*MODULES.values(), ROOT / "app.py"])
    exact = set(re.findall(SPEAKS + r"""\s*["']([a-z_]+\.[\w.]+)["']""", source)) | SENTENCES
    starts = set(re.findall(SPEAKS + r'\s*f"([\w.]+)\{', source)) | {
        f"{p}." for p in re.findall(r'\btexts\(\s*"([\w.]+)"', source)
    }
    assert exact <= texts.keys(), exact - texts.keys()
    unused = {key for key in texts if key not in exact and not any(key.startswith(start) for start in starts)}
    assert not unused - {"settings.other"}


def calls_with_a_key(file: Path) -> Iterator[tuple[str, set[str]]]:
    """Key and names of values of every call that fills a text, where both stand in the code."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if re.fullmatch(SPEAKS, rf"{name}(") and all(each.arg for each in node.keywords):
            yield str(node.args[0].value), {str(each.arg) for each in node.keywords}


def test_every_call_fills_the_placeholders_of_its_text() -> None:
    texts = json.loads((PACKAGE / "text" / "en.json").read_text(encoding="utf-8"))
    calls = [call for file in MODULES.values() for call in calls_with_a_key(file)]
    assert len(calls) > 300
    for key, given in calls:
        assert set(re.findall(r"\{(\w+)[^}]*\}", texts[key])) <= given, key


# The command line prints in English; options are described where pydantic and argparse declare them.
IN_ENGLISH = {"cl_core.cli", "cl_core.hub.card", "cl_core.hub.chart"}  # pages on the Hub are in English, too
DECLARES = {
    "Field",
    "add_argument",
    "ArgumentParser",
    "add_parser",
    "add_command",
    "TypeVar",
    "compile",
    "ValueError",
    "TypeError",
}


def sentences(file: Path) -> list[str]:
    """Texts in the code that read like a sentence for people: four words or more that begin or end like one."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            skipped.add(id(node.body[0].value))  # type: ignore[attr-defined]
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in DECLARES:
                skipped |= {id(each) for each in ast.walk(node)}
        elif isinstance(node, ast.Assert):
            skipped |= {id(each) for each in ast.walk(node)}
        elif isinstance(node, ast.JoinedStr):
            skipped |= {id(each) for each in node.values}
    found = []
    for node in ast.walk(tree):
        if id(node) in skipped or not isinstance(node, ast.Constant | ast.JoinedStr):
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(each.value if isinstance(each, ast.Constant) else "X" for each in node.values)
        elif isinstance(node.value, str):
            text = node.value
        else:
            continue
        words = re.findall(r"[A-Za-z]{2,}", text)
        reads = re.search(r"[a-z][.:?]$", text) or (len(words) > 4 and re.search(r"^[A-Z][a-z]+ [a-z]", text))
        if len(words) >= 4 and reads and "\n" not in text and "<" not in text:
            found.append(text)
    return found


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith(tuple(IN_ENGLISH))])
def test_sentences_for_people_lie_in_the_locale_files(name: str) -> None:
    assert not sentences(MODULES[name])


def test_every_language_says_everything() -> None:
    locales = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (PACKAGE / "text").glob("*.json")}
    assert set(locales) == set(LANGUAGES)
    first = locales[DEFAULT_LANGUAGE]
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_lead_of_an_explanation_is_a_sentence(language: str) -> None:
    """Folded, it stands alone."""
    tabs = [file.read_text(encoding="utf-8") for file in (ROOT / "cl_core" / "ui" / "tabs").rglob("*.py")]
    keys = {key for tab in tabs for key in re.findall(r'explanation\("[\w-]+", text\("([\w.]+)"\)\)', tab)} | {"train.about"}
    assert len(keys) > 15
    texts = json.loads((ROOT / "cl_core" / "text" / f"{language}.json").read_text(encoding="utf-8"))
    assert not [key for key in keys if not re.match(r"\*\*[^*]+[.?。？]\*\*", texts[key])]
