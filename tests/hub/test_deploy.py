"""The Space: its files, and how they get to a Hub on loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cl_core.errors import UserError
from cl_core.hub.deploy import MAX_SPACE, deploy, space_files, space_readme, write_space
from tests.conftest import ROOT
from tests.hub.server import Hub

NAME = "someone/explorer"
SMALL = ["emoji-simclr-small"]


def test_it_holds_what_it_needs_and_no_more() -> None:
    files = space_files()
    size = sum(file.stat().st_size for file in files.values()) + len(space_readme())
    assert size < MAX_SPACE
    assert {"app.py", "requirements.txt", "cl_core/ui/build.py", "cl_core/ui/frontend/links.js", "cl_core/text/zh.json"} <= set(
        files
    )
    assert {"checkpoints/emoji-simclr/model.safetensors", "checkpoints/words-wordnet/run.json"} <= set(files)
    assert not [name for name in files if name.startswith(("tests/", "benchmarks/", "assets/screenshots"))]
    assert not [name for name in files if "__pycache__" in name or name.endswith((".py~", ".pyc", "resume.safetensors"))]
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    assert {name for name in files if name.startswith(("cl_core/", "assets/"))} <= set(tracked)


def test_every_data_set_comes_with_its_license() -> None:
    files = space_files()
    for folder in ("emoji", "fashion", "mnist", "wordnet"):
        assert [name for name in files if name.startswith((f"assets/{folder}/LICENSE", f"assets/{folder}/SOURCE"))], folder


def test_the_page_pins_what_was_tested() -> None:
    pinned = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line)
    page = space_readme()
    assert page.startswith("---\ntitle: Contrastive Explorer\n")
    assert f"sdk_version: {pinned['gradio[mcp]']}\n" in page
    assert "](assets/" not in page, "an image that is not sent"


def test_made_and_brought_up_to_date(hub: Hub, tmp_path: Path) -> None:
    address = deploy(NAME, hardware="cpu-basic", checkpoints=SMALL, private=True)
    assert address == f"{hub.endpoint}/spaces/{NAME}"
    repository = hub.repositories[f"spaces/{NAME}"]
    assert repository.private
    assert repository.settings["sdk"] == "gradio"
    assert repository.settings["hardware"] == {"flavor": "cpu-basic"}
    write_space(tmp_path, SMALL)
    expected = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    expected[".gitattributes"] = repository.commits[next(iter(repository.commits))][".gitattributes"]  # the Hub's own
    assert hub.files(NAME, "spaces") == expected
    hub.add(NAME, {**expected, "old.py": b"x = 1"}, kind="spaces")
    deploy(NAME, checkpoints=SMALL)
    assert hub.files(NAME, "spaces") == expected


def test_a_dry_run_sends_nothing(hub: Hub, command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = command("deploy", NAME, "--dry-run", "--checkpoints", *SMALL)
    assert done.returncode == 0, done.stderr
    *files, total = done.stdout.splitlines()
    assert total.endswith("files; nothing was sent")
    assert sum(int(line.split()[0].replace(",", "")) for line in files) == int(total.split()[0].replace(",", ""))
    assert any(line.endswith("  checkpoints/emoji-simclr-small/model.safetensors") for line in files)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"hardware": "abacus"}, "There is no hardware 'abacus': choose one of cpu-basic"),
        ({"checkpoints": ["nobody"]}, "There is no checkpoint 'nobody': choose among"),
        ({"checkpoints": ["words-wordnet"]}, "The app needs a model of images"),
    ],
)
def test_mistakes_get_a_sentence(hub: Hub, arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        deploy(NAME, **arguments)  # type: ignore[arg-type]
    assert hub.requests == []


def test_without_a_token(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UserError, match="There is no token to publish"):
        deploy(NAME, checkpoints=SMALL)
