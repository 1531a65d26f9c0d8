"""Images of the user's own, from folders and archives, and data sets that are fetched."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from filelock import FileLock
from PIL import Image
from torchvision.datasets import CIFAR10

from cl_core.data import imported as collections
from cl_core.data.decoding import decode_image, to_tensor
from cl_core.data.downloads import get
from cl_core.data.imported import (
    Description,
    add_collection,
    collection_names,
    collections_dir,
    read_collection,
    write_collection,
)
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError
from cl_core.system.paths import cache_dir
from tests.conftest import ROOT
from tests.data.cifar import served

COLORS = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}


@pytest.fixture(autouse=True)
def no_collections(own_cache: Path) -> Iterator[None]:
    load_dataset.cache_clear()
    yield
    load_dataset.cache_clear()


def image(color: str, size: tuple[int, int] = (20, 20), kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, COLORS[color]).save(buffer, kind)
    return buffer.getvalue()


FILES = {
    "photos/train/red/b.png": image("red"),
    "photos/train/red/a.jpg": image("red", kind="JPEG"),
    "photos/train/green/0.png": image("green"),
    "photos/test/green/0.png": image("green"),
    "photos/test/blue/0.png": image("blue"),
    "photos/train/green/notes.txt": b"not an image, and not meant to be one",
    "photos/train/red/.hidden.png": image("blue"),
    "__MACOSX/photos/train/red/b.png": b"what a Mac adds to an archive",
}


def as_folder(root: Path) -> Path:
    for name, content in FILES.items():
        file = root / "folder" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root / "folder"


def as_zip(root: Path) -> Path:
    with zipfile.ZipFile(root / "photos.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return root / "photos.zip"


def as_tar(root: Path) -> Path:
    with tarfile.open(root / "photos.tar.xz", "w:xz") as archive:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return root / "photos.tar.xz"


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
def test_a_folder_and_its_archives_give_the_same(pack: Callable[[Path], Path], tmp_path: Path) -> None:
    shares: list[float] = []
    assert add_collection("mine", pack(tmp_path), title="My photos", license="mine alone", progress=shares.append) == []
    data = load_dataset("mine")
    assert (data.name, data.title, data.license) == ("mine", "My photos", "mine alone")
    assert data.classes == ["blue", "green", "red"]
    assert data.names == ["green 0", "red a", "red b", "blue 0", "green 0"]
    assert data.labels.tolist() == [1, 2, 2, 0, 1]
    assert (data.train.tolist(), data.test.tolist(), data.shown.tolist()) == ([0, 1, 2], [3, 4], [3, 4])
    assert data.images.shape == (5, 3, 20, 20)
    assert data.images[3, :, 10, 10].tolist() == [0, 0, 250]
    assert "mine" in dataset_names()
    assert shares == sorted(shares)


def test_a_folder_without_classes(tmp_path: Path) -> None:
    for i, color in enumerate(COLORS):
        (tmp_path / f"{i}.png").write_bytes(image(color, (100, 50)))
    add_collection("flat", tmp_path)
    data = load_dataset("flat")
    assert data.labels.tolist() == [-1, -1, -1]
    assert data.classes == []
    assert data.family_names == ["no class"]
    assert data.images.shape == (3, 3, 64, 64)  # at most 64 px unless more are asked for
    assert data.images[0, :, 0, 0].tolist() == [255, 255, 255]  # padded to a square
    add_collection("flat-large", tmp_path, size=96)
    assert load_dataset("flat-large").size == 96


def test_bad_files_are_named_and_left_out(tmp_path: Path) -> None:
    folder = as_folder(tmp_path)
    (folder / "photos/train/red/b.png").write_bytes(image("red")[:60])
    problems = add_collection("mine", folder)
    assert len(problems) == 1
    assert problems[0].startswith("b.png ")
    assert load_dataset("mine").names == ["green 0", "red a", "blue 0", "green 0"]
    assert load_dataset("mine").train.tolist() == [0, 1]


def test_paths_of_an_archive_reach_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../escape/1.png", image("red"))
        archive.writestr("/etc/2.png", image("blue"))
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        link = tarfile.TarInfo("a/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        for name in ("a/1.png", "b/2.png"):
            info = tarfile.TarInfo(name)
            info.size = len(image("red"))
            tar.addfile(info, io.BytesIO(image("red")))
    before = {p for p in tmp_path.rglob("*") if "cache" not in p.parts}
    add_collection("zip", tmp_path / "evil.zip")
    add_collection("tar", tmp_path / "evil.tar")
    assert {p for p in tmp_path.rglob("*") if "cache" not in p.parts} == before
    assert load_dataset("zip").classes == ["escape", "etc"]
    assert load_dataset("tar").names == ["a 1", "b 2"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: p / "nowhere", "There is no folder or archive"),
        (lambda p: p, "holds no image; PNG"),
        (lambda p: _file(p / "x.txt", b"text"), "is neither a folder nor a zip or tar archive"),
        (lambda p: _file(p / "cut.zip", as_zip(p).read_bytes()[:-40]), "is neither a folder nor a zip or tar archive"),
        (lambda p: _file(p / "cut.tar.xz", as_tar(p).read_bytes()[:400]), "cannot be read"),
        (lambda p: _file(p / "one" / "1.png", image("red")).parent, "holds fewer than two images that can be read"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(make: Callable[[Path], Path], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=sentence):
        add_collection("mine", make(tmp_path))
    assert collection_names() == []


def _file(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["../up", "", "A", "with space", "a/b", "-x"])
def test_a_name_is_a_plain_one(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot name a collection"):
        add_collection(name, as_folder(tmp_path))


def test_a_public_name_is_for_the_public_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cifar10 has 50,000 images to train and 10,000 to test, and .* holds 3 and 2"):
        add_collection("cifar10", as_folder(tmp_path))


def test_a_damaged_collection_gets_a_sentence(tmp_path: Path) -> None:
    add_collection("mine", as_folder(tmp_path))
    (file,) = (collections_dir() / "mine").glob("images-*.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="is damaged: delete that folder and add it again"):
        read_collection("mine")


def kept(name: str = "mine") -> dict[str, bytes]:
    """The files of a collection."""
    return {file.name: file.read_bytes() for file in (collections_dir() / name).iterdir() if file.name != ".lock"}


def a_few(color: str, count: int, root: Path, folder: str = "") -> Path:
    """A folder with so many images of a color."""
    below = root / color / folder
    below.mkdir(parents=True)
    for i in range(count):
        (below / f"{i:03}.png").write_bytes(image(color, (8, 8)))
    return root / color


@pytest.mark.parametrize("limit", [16_000, 23_000], ids=["at the images", "at the description"])
def test_a_full_disk_leaves_the_old_collection(
    limit: int, command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    add_collection("mine", a_few("red", 30, tmp_path))
    before = kept()
    new = a_few("blue", 100, tmp_path, "a" * 250)  # with so long a class the description is the larger of the two files
    done = command("data", "add", "mine", new, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.returncode == 2
    assert "could not be written (File too large); free some space" in done.stderr
    assert done.stderr.rstrip().endswith("what was there is kept.")
    assert kept() == before
    assert read_collection("mine").images[:, 0].unique().tolist() == [250]
    done = command("data", "add", "mine", new)
    assert done.returncode == 0, done.stderr
    assert len(read_collection("mine")) == 100


KILLED = """
import os, signal, sys
from pathlib import Path
from cl_core.data.imported import Description, collections_dir, read_collection, write_collection
import torch

def write(value):
    images = torch.full((value, 3, 8, 8), value, dtype=torch.uint8)
    labels = torch.arange(value) % 2
    names = [str(value)] * value
    described = Description(title=str(value), license="", classes=["a", "b"], names=names, train=value)
    write_collection("mine", images, labels, described)

def killed(at):
    "Kill this process at its `at`-th step in the collection's folder."
    steps = 0
    def count(event, arguments):
        nonlocal steps
        if event in ("open", "os.rename", "os.remove", "os.mkdir") and str(collections_dir()) in str(arguments[0]):
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
    data = read_collection("mine")
    whole = {len(data), len(data.names), len(data.labels), int(data.title), *data.images.unique().tolist()}
    print(at, *whole, flush=True)
    if status == 0:
        break
    write(10)
print(*sorted(file.name.partition("-")[0] for file in (collections_dir() / "mine").iterdir()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed at each step it takes")
def test_a_kill_at_any_step_leaves_the_old_collection_or_the_new(own_cache: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    *steps, files = done.stdout.splitlines()
    values = [tuple(map(int, step.split()[1:])) for step in steps]
    assert len(values) > 8  # opened, flushed, renamed, removed
    assert values == sorted(values)
    assert set(values) == {(10,), (20,)}  # each is one whole set: all that is counted agrees
    assert values[-1] == (20,)
    assert files == ".lock description.json images"


def test_a_stop_leaves_the_old_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_collection("mine", a_few("red", 3, tmp_path))
    before, new = kept(), a_few("blue", 5, tmp_path)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_collection("mine", new, progress=stop)
    assert kept() == before
    monkeypatch.setattr(collections, "write_json", stop)
    with pytest.raises(KeyboardInterrupt):
        add_collection("mine", new)
    assert kept() == before
    with pytest.raises(KeyboardInterrupt):
        add_collection("other", new)
    assert kept("other") == {}


def test_what_a_killed_process_left_is_removed_at_the_next_write(tmp_path: Path) -> None:
    add_collection("mine", a_few("red", 3, tmp_path))
    folder = collections_dir() / "mine"
    leftovers = [".description.json.1.tmp", ".images-0.safetensors.1.tmp", f"images-{'0' * 16}.safetensors"]
    for name in leftovers:
        (folder / name).write_bytes(b"half")
    (folder / "notes.txt").write_text("the user's own")
    add_collection("mine", a_few("blue", 3, tmp_path))
    assert sorted(name.partition("-")[0] for name in kept()) == ["description.json", "images", "notes.txt"]


def test_a_collection_of_an_older_version_is_read_and_replaced(tmp_path: Path) -> None:
    folder = collections_dir() / "mine"
    folder.mkdir(parents=True)
    old = {"images": torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "labels": torch.tensor([0, -1])}
    safetensors.torch.save_file(old, folder / "images.safetensors")
    described = {"title": "Old", "license": "", "classes": ["a"], "names": ["a 0", "1"], "train": 2, "digest": "0" * 16}
    (folder / "description.json").write_text(json.dumps(described))
    data = read_collection("mine")
    assert (data.title, data.images.shape, data.labels.tolist()) == ("Old", (2, 3, 8, 8), [0, -1])
    add_collection("mine", a_few("red", 3, tmp_path))
    assert "images.safetensors" not in kept()
    assert len(read_collection("mine")) == 3
    assert data.images.unique().tolist() == [0]  # who has it open still reads the old one


def test_a_collection_is_read_while_it_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_collection("mine", a_few("red", 3, tmp_path))
    load, new = safetensors.torch.load_file, a_few("blue", 5, tmp_path)

    def replaced_meanwhile(path: Path) -> dict[str, torch.Tensor]:
        monkeypatch.setattr(safetensors.torch, "load_file", load)
        add_collection("mine", new)
        return load(path)

    monkeypatch.setattr(safetensors.torch, "load_file", replaced_meanwhile)
    data = read_collection("mine")
    assert (len(data), len(data.names), data.images[0, :, 0, 0].tolist()) == (5, 5, [0, 0, 250])
    (file,) = (collections_dir() / "mine").glob("images-*")
    file.unlink()
    with pytest.raises(UserError, match="is damaged: delete that folder and add it again"):
        read_collection("mine")


def test_two_processes_do_not_write_the_same_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_collection("mine", a_few("red", 3, tmp_path))
    before = kept()
    monkeypatch.setattr(collections, "WAITED_S", 0.1)
    with (
        FileLock(collections_dir() / "mine" / ".lock"),
        pytest.raises(UserError, match=r"Another process is writing the collection in .*mine: wait for it, then try again"),
    ):
        add_collection("mine", a_few("blue", 3, tmp_path))
    assert kept() == before


def test_texts_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    add_collection("mine", a_few("red", 3, tmp_path))
    before, bad = kept(), "caf\udce9"
    with pytest.raises(UserError, match=r"'caf\ufffd' is not text in UTF-8"):
        add_collection("mine", tmp_path / "red", title=bad)
    for changes in ({"license": bad}, {"classes": [bad]}, {"names": [bad] * 3}):
        description = Description(title="", license="", classes=["a"], names=["a"] * 3, train=3).model_copy(update=changes)
        with pytest.raises(UserError, match="is not text in UTF-8"):
            write_collection("mine", torch.zeros(3, 3, 8, 8, dtype=torch.uint8), torch.zeros(3, dtype=torch.long), description)
    assert kept() == before


@pytest.mark.parametrize("archive", [False, True], ids=["folder", "tar"])
def test_names_that_are_not_utf8(archive: bool, tmp_path: Path) -> None:
    """They are shown as well as can be, and classes that then look the same stay apart."""
    folder = tmp_path / "set"
    for name in (b"caf\xe9/\xe9.png", b"caf\xe8/\n\x1b.png", "Bl\u00fcte/\u82b1.png".encode()):
        file = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        file.parent.mkdir(parents=True)
        file.write_bytes(image("red"))
    source = folder
    if archive:
        source = tmp_path / "set.tar"
        with tarfile.open(source, "w", format=tarfile.GNU_FORMAT) as tar:
            tar.add(folder, "set")
    assert add_collection("mine", source) == []
    data = read_collection("mine")
    assert data.classes == ["Bl\u00fcte", "caf\ufffd", "caf\ufffd (2)"]
    assert data.names == ["Bl\u00fcte \u82b1", "caf\ufffd \ufffd\ufffd", "caf\ufffd (2) \ufffd"]
    assert data.labels.tolist() == [0, 1, 2]


def test_images_are_brought_to_the_side_of_the_largest(tmp_path: Path) -> None:
    sides = [(8, 8), (20, 12), (300, 100)]
    for i, size in enumerate(sides):
        (tmp_path / f"{i}.png").write_bytes(image("green", size))
    for count, side in ((2, 20), (3, 64)):
        folder = tmp_path / str(count)
        folder.mkdir()
        for i in range(count):
            shutil.copy(tmp_path / f"{i}.png", folder)
        add_collection("mine", folder)
        expected = torch.cat([to_tensor(decode_image(tmp_path / f"{i}.png"), side) for i in range(count)])
        assert torch.equal(read_collection("mine").images, expected)


def test_files_left_out_are_listed_and_do_not_count(
    command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder = a_few("red", 3, tmp_path, "good")
    (folder / "bad").mkdir()
    for i in range(12):
        (folder / "bad" / f"{i:02}.png").write_bytes(b"no image")
    done = command("data", "add", "mine", folder)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("left out: ")]
    assert [line.split()[2] for line in lines[:10]] == [f"{i:02}.png" for i in range(10)]
    assert lines[10:] == ["left out: and 2 more"]
    assert "mine: 3 images of 8 px, 1 classes" in done.stdout


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """CIFAR-10's archive on loopback, with two images a part."""
    folder = tmp_path / "server"
    folder.mkdir()
    with served(folder, [[9 - i, i] for i in range(1, 6)], [3, 0]) as (archive, settings):
        for name, value in settings:
            monkeypatch.setattr(CIFAR10, name, value)
        yield archive


def test_cifar10_is_fetched_once_and_ordered_by_class(server: Path) -> None:
    with pytest.raises(UserError, match=r"CIFAR-10 is not on this machine: `python -m cl_core data get cifar10` fetches it"):
        load_dataset("cifar10")
    shares: list[float] = []
    assert get("cifar10", shares.append)
    data = load_dataset("cifar10")
    # Labels 8 1, 7 2, 6 3, 5 4, 4 5 come as pixels 2 3, 4 5, 6 7, 8 9, 10 11.
    assert data.labels.tolist() == [1, 2, 3, 4, 4, 5, 5, 6, 7, 8, 0, 3]
    assert data.images[:, 0, 0, 0].tolist() == [3, 5, 7, 9, 10, 8, 11, 6, 4, 2, 51, 50]
    assert (len(data.train), len(data.test), data.title) == (10, 2, "CIFAR-10")
    assert data.names[:2] == ["automobile", "bird"]
    assert not (cache_dir() / "torchvision" / "cifar10").exists()  # one copy is enough
    server.unlink()
    assert not get("cifar10")
    assert all(0 <= share <= 1 for share in shares)


def test_a_fetch_that_fails_or_is_damaged_gets_a_sentence(server: Path) -> None:
    server.write_bytes(b"something else")
    with pytest.raises(UserError, match=r"CIFAR-10 could not be fetched .* or bring a copy of your own"):
        get("cifar10")
    server.unlink()
    with pytest.raises(UserError, match=r"CIFAR-10 could not be fetched"):
        get("cifar10")
    assert collection_names() == []
    with pytest.raises(UserError, match="'imagenet' cannot be fetched: choose one of cifar10"):
        get("imagenet")


def test_from_the_command_line_to_a_search(
    command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of images without classes is added, trained on and searched in."""
    generator = torch.Generator().manual_seed(0)
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(24):
        pixels = torch.randint(0, 256, (6, 6, 3), generator=generator, dtype=torch.uint8).numpy()
        Image.fromarray(pixels).resize((24, 24)).save(folder / f"{i:02}.png")
    done = command("data", "add", "mine", folder)
    assert done.returncode == 0, done.stderr
    assert "mine: 24 images of 24 px, 0 classes, 0 of them to test; use it as --dataset mine" in done.stdout
    listed = command("list")
    assert "mine" in listed.stdout
    assert "24 images 24x24" in listed.stdout
    settings = ("--dataset", "mine", "--epochs", 1, "--batch-size", 8, "--snapshots", 2, "--encoder", "cnn")
    done = command("train", "--run", "r", *settings)
    assert done.returncode == 0, done.stderr
    done = command("search", folder / "07.png", "--checkpoint", "r", "--top", 1)
    assert done.returncode == 0, done.stderr
    assert " 07 " in done.stdout
    done = command("evaluate", "--checkpoint", "r")
    assert done.returncode == 2
    assert "mine has no labels" in done.stderr
    done = command("data", "add", "emoji", folder)
    assert done.returncode == 2
    assert "emoji comes with the project: choose another name" in done.stderr
