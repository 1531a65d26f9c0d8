"""Stored data sets: replacement, kills, full disks and damage."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from filelock import FileLock

from cl_core.data import imported
from cl_core.data.imported import Description, imported_dir, read_imported, write_imported
from cl_core.data.importing import import_images
from cl_core.errors import UserError
from tests.conftest import ROOT
from tests.data.folders import as_folder, files_of, image_folder


@pytest.fixture(autouse=True)
def empty_cache(own_cache: Path) -> None:
    pass


def test_damaged_data_set_raises_user_error(tmp_path: Path) -> None:
    import_images("mine", as_folder(tmp_path))
    (file,) = (imported_dir() / "mine").glob("images-*.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="is damaged: delete that folder and import it again"):
        read_imported("mine")


@pytest.mark.parametrize("limit", [16_000, 23_000], ids=["at the images", "at the description"])
def test_full_disk_keeps_the_previous_data_set(
    limit: int, command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    import_images("mine", image_folder("red", 30, tmp_path))
    before = files_of()
    new = image_folder("blue", 100, tmp_path, "a" * 250)  # the long class name makes the description the larger file
    done = command("data", "add", "mine", new, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.returncode == 2
    assert "could not be written (File too large); free some space" in done.stderr
    assert done.stderr.rstrip().endswith("the previous content is unchanged.")
    assert files_of() == before
    assert read_imported("mine").images[:, 0].unique().tolist() == [250]
    done = command("data", "add", "mine", new)
    assert done.returncode == 0, done.stderr
    assert len(read_imported("mine")) == 100


KILLED = """
import os, signal, sys
from pathlib import Path
from cl_core.data.imported import Description, imported_dir, read_imported, write_imported
import torch

def write(value):
    images = torch.full((value, 3, 8, 8), value, dtype=torch.uint8)
    labels = torch.arange(value) % 2
    names = [str(value)] * value
    described = Description(title=str(value), license="", classes=["a", "b"], names=names, train=value)
    write_imported("mine", images, labels, described)

def killed(at):
    "Kill this process at its `at`-th step in the folder of the data set."
    steps = 0
    def count(event, arguments):
        nonlocal steps
        if event in ("open", "os.rename", "os.remove", "os.mkdir") and str(imported_dir()) in str(arguments[0]):
            steps += 1
            if steps == at:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    write(20)

write(10)
at = 0
while True:
    at += 1
    child = os.fork()
    if not child:
        try:
            killed(at)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    data = read_imported("mine")
    whole = {len(data), len(data.names), len(data.labels), int(data.title), *data.images.unique().tolist()}
    print(at, *whole, flush=True)
    if status == 0:
        break
    write(10)
print(*sorted(file.name.partition("-")[0] for file in (imported_dir() / "mine").iterdir()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed at each step it takes")
def test_kill_at_any_step_keeps_the_previous_or_the_new_data_set(own_cache: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    *steps, files = done.stdout.splitlines()
    values = [tuple(map(int, step.split()[1:])) for step in steps]
    assert len(values) > 8  # opened, flushed, renamed, removed
    assert values == sorted(values)
    assert set(values) == {(10,), (20,)}  # each is one whole set: all that is counted agrees
    assert values[-1] == (20,)
    assert files == ".lock description.json images"


def test_interrupt_keeps_the_previous_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_images("mine", image_folder("red", 3, tmp_path))
    before, new = files_of(), image_folder("blue", 5, tmp_path)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_images("mine", new, progress=stop)
    assert files_of() == before
    monkeypatch.setattr(imported, "write_json", stop)
    with pytest.raises(KeyboardInterrupt):
        import_images("mine", new)
    assert files_of() == before
    with pytest.raises(KeyboardInterrupt):
        import_images("other", new)
    assert files_of("other") == {}


def test_leftovers_are_removed_by_the_next_import(tmp_path: Path) -> None:
    import_images("mine", image_folder("red", 3, tmp_path))
    folder = imported_dir() / "mine"
    leftovers = [".description.json.1.tmp", ".images-0.safetensors.1.tmp", f"images-{'0' * 16}.safetensors"]
    for name in leftovers:
        (folder / name).write_bytes(b"half")
    (folder / "notes.txt").write_text("notes of the user")
    import_images("mine", image_folder("blue", 3, tmp_path))
    assert sorted(name.partition("-")[0] for name in files_of()) == ["description.json", "images", "notes.txt"]


def test_data_set_of_an_earlier_version_is_read_and_replaced(tmp_path: Path) -> None:
    folder = imported_dir() / "mine"
    folder.mkdir(parents=True)
    old = {"images": torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "labels": torch.tensor([0, -1])}
    safetensors.torch.save_file(old, folder / "images.safetensors")
    described = {"title": "Old", "license": "", "classes": ["a"], "names": ["a 0", "1"], "train": 2, "digest": "0" * 16}
    (folder / "description.json").write_text(json.dumps(described))
    data = read_imported("mine")
    assert (data.title, data.images.shape, data.labels.tolist()) == ("Old", (2, 3, 8, 8), [0, -1])
    import_images("mine", image_folder("red", 3, tmp_path))
    assert "images.safetensors" not in files_of()
    assert len(read_imported("mine")) == 3
    assert data.images.unique().tolist() == [0]  # an open data set still reads the previous file


def test_reading_during_replacement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_images("mine", image_folder("red", 3, tmp_path))
    load, new = safetensors.torch.load_file, image_folder("blue", 5, tmp_path)

    def replace_first(path: Path) -> dict[str, torch.Tensor]:
        monkeypatch.setattr(safetensors.torch, "load_file", load)
        import_images("mine", new)
        return load(path)

    monkeypatch.setattr(safetensors.torch, "load_file", replace_first)
    data = read_imported("mine")
    assert (len(data), len(data.names), data.images[0, :, 0, 0].tolist()) == (5, 5, [0, 0, 250])
    (file,) = (imported_dir() / "mine").glob("images-*")
    file.unlink()
    with pytest.raises(UserError, match="is damaged: delete that folder and import it again"):
        read_imported("mine")


def test_two_processes_do_not_write_the_same_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_images("mine", image_folder("red", 3, tmp_path))
    before = files_of()
    monkeypatch.setattr(imported, "LOCK_TIMEOUT_S", 0.1)
    with (
        FileLock(imported_dir() / "mine" / ".lock"),
        pytest.raises(UserError, match=r"Another process is writing the data set in .*mine: wait for it, then try again"),
    ):
        import_images("mine", image_folder("blue", 3, tmp_path))
    assert files_of() == before


def test_texts_are_checked_before_writing(tmp_path: Path) -> None:
    import_images("mine", image_folder("red", 3, tmp_path))
    before, bad = files_of(), "caf\udce9"
    with pytest.raises(UserError, match=r"'caf\ufffd' is not valid UTF-8 text"):
        import_images("mine", tmp_path / "red", title=bad)
    for changes in ({"license": bad}, {"classes": [bad]}, {"names": [bad] * 3}):
        description = Description(title="", license="", classes=["a"], names=["a"] * 3, train=3).model_copy(update=changes)
        with pytest.raises(UserError, match="is not valid UTF-8 text"):
            write_imported("mine", torch.zeros(3, 3, 8, 8, dtype=torch.uint8), torch.zeros(3, dtype=torch.long), description)
    assert files_of() == before
