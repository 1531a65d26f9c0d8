"""The browser side's ES modules, served from a folder that is named by their content.

Browsers keep such files for ever: another version of the app has another folder.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from cl_core.system.paths import cache_dir
from cl_core.ui.urls import file_url

FRONTEND = Path(__file__).resolve().with_name("frontend")
PARTS = ("components", "lib", "parts", "render")  # folders of modules
AT_ONCE = ("start_view", "tour_panel")  # components of the first page that a visitor sees
IMPORT = re.compile(r'^(?:import|export)\b[^;"]* from "(\.[^"]+)"', re.MULTILINE)


def module_files(source: Path = FRONTEND) -> list[Path]:
    """Files of all modules below `source`, without their tests, in a fixed order; paths are relative to it."""
    found = (file for part in PARTS for file in (source / part).glob("*.js") if not file.name.endswith(".test.js"))
    return sorted(file.relative_to(source) for file in found)


def modules_folder() -> Path:
    """The folder that the app serves: a copy of the modules in the cache, or the modules themselves where that is full."""
    return _published(cache_dir())


@cache
def _published(cache_folder: Path) -> Path:
    files = module_files()
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.as_posix().encode() + b"\0" + (FRONTEND / file).read_bytes() + b"\0")
    folder = cache_folder / f"frontend-{digest.hexdigest()[:16]}"
    try:
        return folder if folder.is_dir() else _copied(files, folder)
    except OSError:
        return FRONTEND


def _copied(files: list[Path], folder: Path) -> Path:
    """`folder` with copies of `files`; it appears with all of them or not at all."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        copy = Path(temporary) / folder.name
        for file in files:
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(FRONTEND / file, copy / file)
        try:
            copy.replace(folder)
        except OSError:
            if not folder.is_dir():  # another process was not faster either
                raise
    return folder


def module_url(component: str) -> str:
    """Address of the module of a component, from the app's root."""
    return file_url(modules_folder() / "components" / f"{component}.js")


def with_imports(components: Iterable[str]) -> set[Path]:
    """Files of the modules of components and of all that they import, relative to the folder of modules."""
    found: set[Path] = set()
    waiting = [FRONTEND / "components" / f"{name}.js" for name in components]
    while waiting:
        file = waiting.pop()
        if (name := file.relative_to(FRONTEND)) not in found:
            found.add(name)
            waiting += [(file.parent / target).resolve() for target in IMPORT.findall(file.read_text(encoding="utf-8"))]
    return found


def preloads() -> str:
    """Tags for the page's head that fetch the modules of the first tab at once, instead of each after the one that imports it."""
    return "".join(f'<link rel="modulepreload" href="{address}">' for address in _addresses(with_imports(AT_ONCE)))


def later_modules() -> list[str]:
    """Addresses of the modules of other tabs; `preload.js` fetches them."""
    return _addresses(set(module_files()) - with_imports(AT_ONCE))


def _addresses(files: Iterable[Path]) -> list[str]:
    """Addresses of modules, relative to the page, which a proxy may serve below a prefix."""
    folder = modules_folder()
    return [file_url(folder / file).removeprefix("/") for file in sorted(files)]
