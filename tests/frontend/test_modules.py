"""The ES modules pass their own unit tests, find each other, and are served from a folder named by their content."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from cl_core.system.paths import cache_dir
from cl_core.text import LANGUAGES, text
from cl_core.ui import components, modules
from cl_core.ui.modules import FRONTEND, later_modules, module_files, module_url, modules_folder, preloads
from cl_core.ui.urls import file_url
from tests.conftest import ROOT

GROUPS = (
    "map.view",
    "loss_microscope",
    "temperature_lab",
    "twin_maps",
    "keys.view",
    "keys.step",
    "nce.table",
    "spectrum.view",
    "clusters.view",
    "save",
    "start",
    "search.queries",
    "setting.table",
    "images.drop",
    "why",
    "tour.panel",
)  # of texts that components get
WITHOUT_MODULE = {"image_upload", "menu"}  # Gradio's own components


def sources() -> dict[str, str]:
    return {file.as_posix(): (FRONTEND / file).read_text(encoding="utf-8") for file in module_files()}


def test_the_unit_tests_pass() -> None:
    tests = sorted(FRONTEND.glob("*/*.test.js"))
    done = subprocess.run(["node", "--test", *tests], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    counts = dict(re.findall(r"^(?:#|ℹ) (\w+) (\d+)$", done.stdout, re.MULTILINE))
    assert int(counts["pass"]) > 100
    assert counts["fail"] == counts["skipped"] == counts["todo"] == "0"


def test_every_pure_module_has_unit_tests() -> None:
    untested = {file.name for file in (FRONTEND / "lib").glob("*.js") if not file.name.endswith(".test.js")}
    untested -= {file.name.replace(".test.js", ".js") for file in (FRONTEND / "lib").glob("*.test.js")}
    assert untested == {"component.js", "failure.js"}, "it needs a page: tests/browser/test_leaks.py"


def test_imports_lead_to_modules_in_one_direction() -> None:
    order = ("lib", "render", "parts", "components")
    for name, source in sources().items():
        for target in re.findall(r'^(?:import|export) .*?from "([^"]+)"', source, re.MULTILINE | re.DOTALL):
            assert target.startswith("."), f"{name} imports {target}"
            file = (FRONTEND / name).parent / target
            assert file.is_file(), f"{name} imports {target}"
            folder = file.resolve().relative_to(FRONTEND).parts[0]
            assert order.index(folder) <= order.index(name.partition("/")[0]), f"{name} imports {target}"


def test_every_component_has_a_module_that_mounts() -> None:
    for name in set(components.__all__) - WITHOUT_MODULE:
        assert re.search(r"^export function mount\(", sources()[f"components/{name}.js"], re.MULTILINE), name


def test_every_text_that_the_browser_reads_exists() -> None:
    english = json.loads((ROOT / "cl_core" / "text" / "en.json").read_text(encoding="utf-8"))
    known = {key.removeprefix(f"{group}.") for group in GROUPS for key in english if key.startswith(f"{group}.")}
    read = {key for source in sources().values() for key in re.findall(r"\bstrings\.(\w+)", source)}
    plain = {key for key in read if key not in {"hint", "label", "low", "high"}}  # parts get those by other names
    assert len(plain) > 40
    assert plain <= known
    assert text("save.png") and len(LANGUAGES) == 2


def test_the_folder_holds_the_modules_and_no_tests() -> None:
    folder = modules_folder()
    assert re.fullmatch(r"frontend-[0-9a-f]{16}", folder.name)
    assert module_files(folder) == module_files()
    assert not list(folder.rglob("*.test.js"))
    for file in module_files():
        assert (folder / file).read_bytes() == (FRONTEND / file).read_bytes()
    assert module_url("pair_view") == f"/gradio_api/file={folder}/components/pair_view.js"
    at_once = re.findall('<link rel="modulepreload" href="([^"]+)">', preloads())
    assert sorted([*at_once, *later_modules()]) == sorted(file_url(folder / file)[1:] for file in module_files())
    assert 10 < len(at_once) < len(module_files()) / 2


def test_a_change_gives_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = modules_folder()
    for file in module_files():
        (tmp_path / file).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / file).write_bytes((FRONTEND / file).read_bytes())
    (tmp_path / "lib" / "csv.js").write_text("// another version\n", encoding="utf-8")
    monkeypatch.setattr(modules, "FRONTEND", tmp_path)
    monkeypatch.setattr(modules, "module_files", lambda source=tmp_path: module_files(source))
    changed = modules._published.__wrapped__(cache_dir())
    assert changed != folder
    assert changed.parent == folder.parent == cache_dir()
    assert (changed / "lib" / "csv.js").read_text(encoding="utf-8") == "// another version\n"


def test_without_room_the_modules_are_served_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "full").write_text("", encoding="utf-8")
    monkeypatch.setattr(modules, "cache_dir", lambda: tmp_path / "full")
    assert modules_folder() == FRONTEND
