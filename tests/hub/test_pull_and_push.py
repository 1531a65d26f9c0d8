"""Runs to a Hub on loopback and back, by the real client."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from cl_core.errors import UserError
from cl_core.hub.pull import pull
from cl_core.hub.push import push
from cl_core.runs.folder import RunFolder
from cl_core.runs.hub_cache import find_pulled, pulled_runs
from cl_core.runs.store import find_run, open_run, run_features
from tests.conftest import ROOT
from tests.hub.conftest import files_of
from tests.hub.server import READER, Hub

pytestmark = pytest.mark.slow

NAME = "someone/small-digits"


def features(folder: RunFolder) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8, generator=generator)
    return run_features(open_run(folder), images)


def test_what_is_pushed_can_be_pulled(hub: Hub, small_run: Path) -> None:
    address = push(RunFolder(small_run), NAME)
    sent = hub.files(NAME)
    assert set(sent) == {*files_of(small_run), "README.md", "curves.png", ".gitattributes"}
    assert "resume.safetensors" not in sent
    assert address.startswith(f"{hub.endpoint}/{NAME}/commit/")
    folder = pull(NAME)
    assert files_of(folder.path) == files_of(small_run)
    assert torch.equal(features(folder), features(RunFolder(small_run)))
    assert folder.name == NAME
    assert [each.name for each in pulled_runs()] == [NAME]
    assert hub.repositories[f"models/{NAME}"].private is False


def test_the_card_says_what_it_is(hub: Hub, small_run: Path) -> None:
    push(RunFolder(small_run), NAME)
    sent = hub.files(NAME)
    card = sent["README.md"].decode()
    record = RunFolder(small_run).read_record()
    assert "license: other" in card
    assert "CC BY 4.0" in card
    assert record.metrics["protocol"][1:] in card
    assert f"{100 * record.metrics['knn']['accuracy']:.1f} %" in card
    assert f"| `temperature` | `{record.config.temperature}` |" in card
    assert f"python -m cl_core pull {NAME}" in card
    with Image.open(io.BytesIO(sent["curves.png"])) as image:
        assert image.width == 3 * 900
        colors = {color for _, color in image.convert("RGB").getcolors(1 << 24) or []}
    assert (0, 114, 178) in colors


def test_the_snippet_of_the_card_works(hub: Hub, small_run: Path) -> None:
    push(RunFolder(small_run), NAME)
    snippet = re.search(r"```python\n(.*?)```", hub.files(NAME)["README.md"].decode(), re.DOTALL)
    assert snippet
    done = subprocess.run([sys.executable, "-c", snippet[1]], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"torch.Size([4, {open_run(RunFolder(small_run)).method.encoder.dim}])"


def test_from_the_command_line(hub: Hub, small_run: Path, command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    pushed = command("push", small_run, NAME, "--private")
    assert pushed.returncode == 0, pushed.stderr
    assert hub.repositories[f"models/{NAME}"].private is True
    pulled = command("pull", NAME)
    assert pulled.returncode == 0, pulled.stderr
    assert f"{NAME} at " in pulled.stdout
    listed = command("list", "--json")
    assert NAME in json.dumps(json.loads(listed.stdout))
    wrong = command("pull", "no-owner")
    assert wrong.returncode == 2
    assert wrong.stderr == (
        "error: 'no-owner' is not the name of a repository: give OWNER/NAME, or OWNER/NAME@REVISION with a branch, tag or "
        "commit.\n"
    )


def test_again_without_the_hub(hub: Hub, small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add(NAME, files_of(small_run))
    first = pull(NAME)
    hub.add(NAME, {**files_of(small_run), "metrics.jsonl": b""})
    assert find_run(NAME).path == first.path, "what was pulled stays at its revision"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert pull(NAME).path == first.path
    assert torch.equal(features(find_run(NAME)), features(RunFolder(small_run)))
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        pull("someone/other")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert pull(NAME).path != first.path


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"../../elsewhere", b"f" * 10_000, None])
def test_a_damaged_reference(hub: Hub, small_run: Path, content: bytes | None) -> None:
    """The file that maps a branch to a commit: binary, too long, or a link to a device that never ends (None)."""
    hub.add(NAME, files_of(small_run))
    folder = pull(NAME)
    reference = folder.path.parent.parent / "refs" / "main"
    reference.unlink()
    if content is None:
        reference.symlink_to("/dev/zero")
    else:
        reference.write_bytes(content)
    with pytest.raises(UserError, match="pull the run from the Hub"):
        find_run(NAME)
    assert [each.name for each in pulled_runs()] == [f"{NAME}@{folder.commit}"]
    assert pull(NAME).commit == folder.commit
    assert reference.read_text() == folder.commit and not reference.is_symlink()


def test_a_revision(hub: Hub, small_run: Path) -> None:
    old = hub.add(NAME, files_of(small_run))
    hub.repositories[f"models/{NAME}"].tags["v1"] = old
    hub.add(NAME, {**files_of(small_run), "metrics.jsonl": b""})
    assert pull(f"{NAME}@v1").commit == old
    assert pull(f"{NAME}@{old}").read_metrics()
    assert not pull(NAME).read_metrics()
    assert find_run(f"{NAME}@v1").read_metrics()
    assert find_run(f"{NAME}@{old[:8]}").path.name == old
    assert {each.name for each in pulled_runs()} == {NAME, f"{NAME}@v1"}
    with pytest.raises(UserError, match="has no such revision"):
        pull(f"{NAME}@v2")


def test_private_needs_a_token(hub: Hub, small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add(NAME, files_of(small_run), private=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UserError, match="or it is private: check the name, or log in"):
        pull(NAME)
    with pytest.raises(UserError, match="There is no token to publish"):
        push(RunFolder(small_run), NAME)
    monkeypatch.setenv("HF_TOKEN", READER)
    assert pull(NAME).name == NAME
    with pytest.raises(UserError, match="The Hub refuses access"):
        push(RunFolder(small_run), NAME)


def test_files_of_an_earlier_run_are_deleted_and_others_stay(hub: Hub, small_run: Path, tmp_path: Path) -> None:
    push(RunFolder(small_run), NAME)
    newest = hub.repositories[f"models/{NAME}"]
    newest.commit({**newest.commits[newest.resolve("main") or ""], "layout.safetensors": b"old", "notes.txt": b"mine"})
    shutil.copytree(small_run, tmp_path / "run")
    (tmp_path / "run" / "snapshots.safetensors").unlink()
    push(RunFolder(tmp_path / "run"), NAME)
    left = newest.commits[newest.resolve("main") or ""]
    assert {"model.safetensors", "run.json", "README.md", "notes.txt"} <= set(left)
    assert not {"layout.safetensors", "snapshots.safetensors"} & set(left)


def test_a_space_uses_no_token_for_its_visitors(hub: Hub, small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add(NAME, files_of(small_run), private=True)
    hub.add("someone/public", files_of(small_run))
    monkeypatch.setenv("SPACE_ID", "someone/explorer")
    with pytest.raises(UserError, match="or it is private"):
        pull(NAME)
    assert pull("someone/public").name == "someone/public"
    with pytest.raises(UserError, match="A Space publishes nothing"):
        push(RunFolder(small_run), NAME)
    monkeypatch.delenv("SPACE_ID")
    assert pull(NAME).name == NAME


def test_an_interrupted_transfer(hub: Hub, small_run: Path) -> None:
    hub.add(NAME, files_of(small_run))
    hub.cuts = 100  # more than the client tries
    with pytest.raises(UserError, match="connection broke"):
        pull(NAME)
    assert find_pulled(NAME) is None
    hub.cuts = 2
    earlier = pull(NAME)
    assert files_of(earlier.path) == files_of(small_run)
    assert hub.cuts == 0
    changed = {name: content + b" " for name, content in files_of(small_run).items() if name.startswith("snapshots")}
    hub.add(NAME, {**files_of(small_run), **changed, "metrics.jsonl": b""})
    hub.cuts = 100
    assert pull(NAME).path == earlier.path, "an unfinished download does not replace the run pulled before"
    assert [each.name for each in pulled_runs()] == [NAME]
    hub.cuts = 0
    assert pull(NAME).path != earlier.path


def test_a_wrong_hash(hub: Hub, small_run: Path) -> None:
    hub.add(NAME, files_of(small_run))
    hub.wrong = "model.safetensors"
    with pytest.raises(UserError, match="its hash differs"):
        pull(NAME)
    assert find_pulled(NAME) is None
    hub.wrong = "run.json"
    with pytest.raises(UserError, match="its hash differs"):
        pull(NAME)
    hub.wrong = None
    assert files_of(pull(NAME).path) == files_of(small_run)


def test_a_bad_commit_leaves_an_earlier_one(hub: Hub, small_run: Path) -> None:
    """Both link to the same blobs, but for the file that changed."""
    files = files_of(small_run)
    hub.add(NAME, files)
    earlier = pull(NAME)
    record = json.loads(files["run.json"])
    record["config"]["encoder"] = "resnet18"  # its weights are not those of the file
    hub.add(NAME, files | {"run.json": json.dumps(record).encode()})
    with pytest.raises(UserError):
        pull(NAME)
    assert files_of(earlier.path) == files
    assert find_run(NAME).path == earlier.path


def test_a_pickle_is_not_fetched(hub: Hub, small_run: Path) -> None:
    files = files_of(small_run)
    files["pytorch_model.bin"] = files.pop("model.safetensors")
    hub.add(NAME, files)
    with pytest.raises(UserError, match=r"pytorch_model\.bin, which can run code"):
        pull(NAME)
    assert not [path for method, path in hub.requests if "/resolve/" in path]


@pytest.mark.parametrize(("key", "value"), [("encoder", "evil.Encoder"), ("method", "os.system")])
def test_a_class_that_does_not_exist(hub: Hub, small_run: Path, key: str, value: str) -> None:
    record = json.loads((small_run / "run.json").read_text())
    record["config"][key] = value
    hub.add(NAME, {**files_of(small_run), "run.json": json.dumps(record).encode()})
    with pytest.raises(UserError, match=f"{key}.*{value}"):
        pull(NAME)
    assert find_pulled(NAME) is None
    assert pulled_runs() == []


def test_what_is_no_run_or_too_large(hub: Hub, small_run: Path) -> None:
    hub.add("someone/text", {"README.md": b"hello"})
    with pytest.raises(UserError, match=r"is not a run: it has no model\.safetensors"):
        pull("someone/text")
    hub.add(NAME, files_of(small_run))
    with pytest.raises(UserError, match="at most 0 MB are fetched"):
        pull(NAME, largest=1000)
    with pytest.raises(UserError, match="There is no someone/nothing on the Hub"):
        pull("someone/nothing")


def test_what_cannot_be_pushed(hub: Hub, small_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="without @v1"):
        push(RunFolder(small_run), f"{NAME}@v1")
    folder = RunFolder(tmp_path / "stopped")
    for name, content in files_of(small_run).items():
        folder.path.mkdir(exist_ok=True)
        (folder.path / name).write_bytes(content)
    folder.write_record(folder.read_record().model_copy(update={"state": "stopped"}))
    with pytest.raises(UserError, match="is stopped: let train finish"):
        push(folder, NAME)
    assert not hub.repositories
