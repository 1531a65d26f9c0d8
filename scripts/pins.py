"""Write requirements.txt and requirements-test.txt: pyproject's ranges, pinned to the versions that are installed and tested.

    make pins        (or: python scripts/pins.py)

Run it in the environment the tests passed in. `--check` writes nothing and fails where a pin lies outside its range or a
requirement is missing.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = re.compile(r"^\s*(?P<name>[A-Za-z0-9._-]+)(?P<extras>\[[^\]]*\])?(?P<range>[^;]*)(?P<marker>;.*)?$")


def pinned(requirement: str, installed: str | None = None) -> str:
    """One requirement, its range replaced by the installed version."""
    found = NAME.match(requirement)
    assert found, requirement
    pin = installed or version(found["name"])
    return f"{found['name']}{found['extras'] or ''}=={pin}{found['marker'] or ''}".replace(" ;", ";")


def files() -> dict[str, str]:
    """The content of both files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    head = "# Generated from pyproject.toml by `make pins`: the versions the tests ran with.\n"
    dev = project["optional-dependencies"]["dev"]
    return {
        "requirements.txt": head + "".join(f"{pinned(each)}\n" for each in project["dependencies"]),
        "requirements-test.txt": head + "-r requirements.txt\n" + "".join(f"{pinned(each)}\n" for each in dev),
    }


def problems() -> list[str]:
    """What does not fit: pins outside pyproject's ranges, names in one file only."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ranges = {"requirements.txt": project["dependencies"], "requirements-test.txt": project["optional-dependencies"]["dev"]}
    found = []
    for file, wanted in ranges.items():
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        pins = {Requirement(line).name: Requirement(line) for line in lines if line and line[0] not in "#-"}
        needed = {Requirement(each).name: Requirement(each) for each in wanted}
        found += [f"{file}: {name} is in one of the two only" for name in sorted(pins.keys() ^ needed.keys())]
        for name in sorted(pins.keys() & needed.keys()):
            pin = str(pins[name].specifier).removeprefix("==")
            if not needed[name].specifier.contains(pin):
                found.append(f"{file}: {name}=={pin} lies outside {needed[name].specifier}")
    return found


def main() -> int:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a pin does not fit")
    if not parser.parse_args().check:
        for name, content in files().items():
            (ROOT / name).write_text(content, encoding="utf-8")
    found = problems()
    print("\n".join(found), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
