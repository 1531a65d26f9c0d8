"""The manual: it builds without a warning, its links lead somewhere, its examples run, its commands exist."""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import inspect
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from PIL import Image

from cl_core import __version__
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

DOCS = ROOT / "docs"
TEXTS = {
    file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
    for file in [*sorted(DOCS.glob("*.md")), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))]
}
MAX_WORDS = 700  # in the README
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = ("contrastive-explorer", "make", "torchrun", "python", "pre-commit", "CL_", "OMP_", "PORT=", ".venv/bin/")


def fences(text: str, language: str) -> list[str]:
    """The code blocks of one language."""
    return [code for name, code in FENCE.findall(text) if name == language]


class Page(HTMLParser):
    """ids: anchors of a page. links: targets of its links, images, scripts and styles. loads: those that it loads itself."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(values["id"] or "")
        for name in ("href", "src"):
            target = values.get(name)
            if target:
                self.links.append(target)
                if tag != "a" and values.get("rel") not in ("canonical",):
                    self.loads.append(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """The built manual; a warning of Sphinx is an error."""
    root = tmp_path_factory.mktemp("manual")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "-d",
        root / "doctrees",
        DOCS,
        root / "html",
    ]
    built = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    return {file: Page(file) for file in sorted((root / "html").rglob("*.html"))}


def test_links_and_anchors_of_the_built_manual_exist(site: dict[Path, Page]) -> None:
    assert {file.stem for file in site} >= {Path(name).stem for name in TEXTS if name.startswith("docs/")}
    broken = []
    for file, page in site.items():
        for link in page.links:
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (file.parent / unquote(path.partition("?")[0])).resolve() if path else file
            if not target.exists() or (anchor and target in site and unquote(anchor) not in site[target].ids):
                broken.append(f"{file.name}: {link}")
    assert not broken


def test_the_built_manual_loads_nothing_from_elsewhere(site: dict[Path, Page]) -> None:
    for file, page in site.items():
        assert not [target for target in page.loads if re.match(r"([a-z]+:)?//", target)], file.name


def test_formulas_become_mathml(site: dict[Path, Page]) -> None:
    formulas = TEXTS["docs/methods.md"].count("$$") // 2
    methods = next(file for file in site if file.stem == "methods").read_text(encoding="utf-8")
    assert formulas > 5
    assert methods.count('display="block"') == formulas
    assert "$$" not in methods and "\\frac" not in methods


def slug(heading: str) -> str:
    """The anchor that GitHub and MyST give a heading."""
    plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return plain.replace(" ", "-")


@pytest.mark.parametrize("name", TEXTS)
def test_relative_links_lead_to_a_file_and_a_heading(name: str) -> None:
    prose = FENCE.sub("", TEXTS[name])
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", FENCE.sub("", file.read_text(encoding="utf-8")), re.MULTILINE)
            assert anchor in set(map(slug, headings)), target


def test_the_readme_is_short_and_shows_one_image() -> None:
    assert len(TEXTS["README.md"].split()) <= MAX_WORDS
    assert len(re.findall(r"!\[", TEXTS["README.md"])) == 1


@pytest.mark.parametrize("name", ["README.md", "docs/python-api.md"])
def test_python_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order, as one session; where a block ends with its output, that is what it prints."""
    from cl_core.data.registry import load_dataset

    emoji = load_dataset("emoji")
    for animal in ("cat", "dog"):
        pixels = emoji.images[emoji.names.index(animal)].permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(tmp_path / f"{animal}.jpg")
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}
    blocks = fences(TEXTS[name], "python")
    assert blocks
    for code in blocks:
        example, _, output = code.partition("# Output:\n")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(example, name, "exec"), session)
        if output:
            assert printed.getvalue() == re.sub(r"^# ", "", output, flags=re.MULTILINE)


def test_other_python_examples_compile_and_call_what_the_app_offers() -> None:
    from cl_core.ui.api import PUBLIC, Api

    offered = set(PUBLIC)
    (example,) = fences(TEXTS["docs/http-api.md"], "python")
    calls = [each for each in ast.walk(ast.parse(example)) if isinstance(each, ast.keyword) and each.arg == "api_name"]
    assert {ast.literal_eval(call.value).removeprefix("/") for call in calls} <= offered
    described = dict(re.findall(r"^\| `(\w+)\((.*)\)` \|", TEXTS["docs/http-api.md"], re.MULTILINE))
    assert set(described) == offered
    for name, arguments in described.items():
        _, *parameters = inspect.signature(getattr(Api, name)).parameters.values()
        shown = [each.name if each.default is each.empty else f"{each.name}={json.dumps(each.default)}" for each in parameters]
        assert arguments == ", ".join(shown).replace("null", "None"), name


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command of the texts, without its comment and the variables before it, and the text it stands in."""
    for name, text in TEXTS.items():
        lines = [line for code in fences(text, "sh") for line in code.splitlines()]
        lines += [code for code in re.findall(r"`([^`\n]+)`", FENCE.sub("", text)) if code.startswith(PROGRAMS)]
        for line in lines:
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words.pop(0)
            if words:
                yield name, [Path(words[0]).name, *words[1:]]


def arguments_of(words: list[str]) -> list[str] | None:
    """What follows the name of the project's own program; None where a command calls another one."""
    if words[0] == "contrastive-explorer":
        return words[1:]
    if "cl_core" in words and words[words.index("cl_core") - 1] == "-m":
        return words[words.index("cl_core") + 1 :]
    return None


OWN = [pytest.param(given, id=f"{name}: {' '.join(given)}") for name, words in commands() if (given := arguments_of(words))]


@pytest.mark.parametrize("given", OWN)
def test_commands_parse(given: list[str]) -> None:
    from cl_core.cli.main import build_parser
    from cl_core.runs.config import RunConfig
    from cl_core.runs.options import given_settings
    from cl_core.ui.launch import add_options
    from cl_core.words.config import WordConfig

    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        try:
            if given[0] == "app":
                add_options(app := argparse.ArgumentParser())
                app.parse_args(given[1:])
                return
            parsed = build_parser().parse_args(given)
        except SystemExit:
            pytest.fail(errors.getvalue())
    if given[0] == "train":
        RunConfig.model_validate(given_settings(parsed, RunConfig))
    elif given[:2] == ["words", "train"]:
        WordConfig.model_validate(given_settings(parsed, WordConfig))


def test_every_command_of_the_command_line_is_shown() -> None:
    from cl_core.cli.main import build_parser

    def names(parser: argparse.ArgumentParser) -> Iterator[tuple[str, ...]]:
        below = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
        for name, sub in ((name, sub) for each in below for name, sub in each.choices.items()):
            yield from ((name, *rest) for rest in names(sub))
        if not below:
            yield ()

    shown = [given for _, words in commands() if (given := arguments_of(words))]
    for command in names(build_parser()):
        assert any(tuple(given[: len(command)]) == command for given in shown), command


def test_make_targets_and_benchmarks_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for name, words in commands():
        if words[0] == "make":
            assert set(words[1:]) <= targets, name
        for word in words:
            if word.startswith("benchmarks."):
                assert (ROOT / "benchmarks" / f"{word.removeprefix('benchmarks.')}.py").is_file(), word


BENCHMARKS = {tuple(words[2:]) for _, words in commands() if words[1:2] == ["-m"] and words[2].startswith("benchmarks")}


@pytest.mark.parametrize("given", sorted(BENCHMARKS), ids=" ".join)
def test_benchmarks_take_the_arguments(given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """They stop where their arguments have been read."""

    class ReadError(Exception):
        pass

    parse = argparse.ArgumentParser.parse_args

    def read(parser: argparse.ArgumentParser, *rest: Any, **options: Any) -> Any:
        parse(parser, *rest, **options)
        raise ReadError

    name = f"{given[0]}.__main__" if given[0] == "benchmarks" else given[0]
    source = (ROOT / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")
    if "ArgumentParser(" not in source:
        assert len(given) == 1, "it takes none"
        return
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", read)
    monkeypatch.setattr(sys, "argv", list(given))
    with pytest.raises(ReadError):
        importlib.import_module(name).main()


def test_the_guide_has_a_section_for_each_tab() -> None:
    texts = json.loads((ROOT / "cl_core" / "text" / "en.json").read_text(encoding="utf-8"))
    tabs = [re.sub(r"^\d+ ", "", text) for key, text in texts.items() if re.fullmatch(r"tabs\.\w+", key)]
    assert tabs and re.findall(r"^## (.+)$", TEXTS["docs/guide.md"], re.MULTILINE) == tabs


def test_the_manual_names_every_method_encoder_data_set_model_and_room() -> None:
    from cl_core.data.bundled import DATASETS, TABLES
    from cl_core.data.downloads import DOWNLOADS
    from cl_core.networks.encoders.registry import ENCODERS
    from cl_core.networks.methods import TRAINABLE
    from cl_core.runs.store import shipped_runs

    rooms = [f"{folder.name}/" for folder in (ROOT / "cl_core").iterdir() if (folder / "__init__.py").is_file()]
    expected = {
        "docs/methods.md": [*TRAINABLE, *ENCODERS],
        "docs/data.md": [*DATASETS, *TABLES, *DOWNLOADS],
        "docs/results.md": [run.name for run in shipped_runs()],
        "docs/architecture.md": rooms,
    }
    for page, names in expected.items():
        for name in names:
            assert f"`{name}`" in TEXTS[page], (page, name)


def test_changelog_and_citation_name_the_version() -> None:
    changelog = TEXTS["CHANGELOG.md"]
    (unreleased,) = re.findall(r"^## \[Unreleased\] - (\S+)$", changelog, re.MULTILINE)
    version, date = re.findall(r"^## \[(\d\S+)\] - (\S+)$", changelog, re.MULTILINE)[0]
    assert __version__ in (unreleased, version)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["cff-version"], citation["version"], str(citation["date-released"])) == ("1.2.0", version, date)
    assert citation["authors"] and citation["title"] and citation["message"]


def test_hooks_and_workflow_call_the_projects_own_tools() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repo["repo"] for repo in hooks["repos"]} == {"local"}
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["check"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["make check", "make test"]
