"""Pictures of the user's own, from folders and archives, and data sets that are fetched."""

from __future__ import annotations

import io
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.datasets import CIFAR10

from cl_core.data.catalog import dataset_names, load_dataset
from cl_core.data.collections import add_collection, collection_names, collections_dir, read_collection
from cl_core.data.download import get
from cl_core.errors import UserError
from cl_core.paths import cache_dir
from tests.data.cifar import served

COLOURS = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}


@pytest.fixture(autouse=True)
def no_collections(own_cache: Path) -> Iterator[None]:
    load_dataset.cache_clear()
    yield
    load_dataset.cache_clear()


def picture(colour: str, size: tuple[int, int] = (20, 20), kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, COLOURS[colour]).save(buffer, kind)
    return buffer.getvalue()


FILES = {
    "photos/train/red/b.png": picture("red"),
    "photos/train/red/a.jpg": picture("red", kind="JPEG"),
    "photos/train/green/0.png": picture("green"),
    "photos/test/green/0.png": picture("green"),
    "photos/test/blue/0.png": picture("blue"),
    "photos/train/green/notes.txt": b"not a picture, and not meant to be one",
    "photos/train/red/.hidden.png": picture("blue"),
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
    assert add_collection("mine", pack(tmp_path), title="My photos", licence="mine alone", progress=shares.append) == []
    data = load_dataset("mine")
    assert (data.name, data.title, data.licence) == ("mine", "My photos", "mine alone")
    assert data.classes == ["blue", "green", "red"]
    assert data.names == ["green 0", "red a", "red b", "blue 0", "green 0"]
    assert data.labels.tolist() == [1, 2, 2, 0, 1]
    assert (data.train.tolist(), data.test.tolist(), data.shown.tolist()) == ([0, 1, 2], [3, 4], [3, 4])
    assert data.pictures.shape == (5, 3, 20, 20)
    assert data.pictures[3, :, 10, 10].tolist() == [0, 0, 250]
    assert "mine" in dataset_names()
    assert shares == sorted(shares)


def test_a_folder_without_classes(tmp_path: Path) -> None:
    for i, colour in enumerate(COLOURS):
        (tmp_path / f"{i}.png").write_bytes(picture(colour, (100, 50)))
    add_collection("flat", tmp_path)
    data = load_dataset("flat")
    assert data.labels.tolist() == [-1, -1, -1]
    assert data.classes == []
    assert data.family_names == ["no class"]
    assert data.pictures.shape == (3, 3, 64, 64)  # at most 64 px unless more are asked for
    assert data.pictures[0, :, 0, 0].tolist() == [255, 255, 255]  # padded to a square
    add_collection("flat-large", tmp_path, size=96)
    assert load_dataset("flat-large").size == 96


def test_bad_files_are_named_and_left_out(tmp_path: Path) -> None:
    folder = as_folder(tmp_path)
    (folder / "photos/train/red/b.png").write_bytes(picture("red")[:60])
    problems = add_collection("mine", folder)
    assert len(problems) == 1
    assert problems[0].startswith("b.png ")
    assert load_dataset("mine").names == ["green 0", "red a", "blue 0", "green 0"]
    assert load_dataset("mine").train.tolist() == [0, 1]


def test_paths_of_an_archive_reach_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../escape/1.png", picture("red"))
        archive.writestr("/etc/2.png", picture("blue"))
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        link = tarfile.TarInfo("a/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        for name in ("a/1.png", "b/2.png"):
            info = tarfile.TarInfo(name)
            info.size = len(picture("red"))
            tar.addfile(info, io.BytesIO(picture("red")))
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
        (lambda p: p, "holds no picture; PNG"),
        (lambda p: _file(p / "x.txt", b"text"), "is neither a folder nor a zip or tar archive"),
        (lambda p: _file(p / "cut.zip", as_zip(p).read_bytes()[:-40]), "is neither a folder nor a zip or tar archive"),
        (lambda p: _file(p / "cut.tar.xz", as_tar(p).read_bytes()[:400]), "cannot be read"),
        (lambda p: _file(p / "one" / "1.png", picture("red")).parent, "holds fewer than two pictures that can be read"),
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
    with pytest.raises(UserError, match=r"cifar10 has 50,000 pictures to train and 10,000 to test, and .* holds 3 and 2"):
        add_collection("cifar10", as_folder(tmp_path))


def test_a_damaged_collection_gets_a_sentence(tmp_path: Path) -> None:
    add_collection("mine", as_folder(tmp_path))
    file = collections_dir() / "mine" / "pictures.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="is damaged: delete that folder and add it again"):
        read_collection("mine")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """CIFAR-10's archive on loopback, with two pictures a part."""
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
    assert data.pictures[:, 0, 0, 0].tolist() == [3, 5, 7, 9, 10, 8, 11, 6, 4, 2, 51, 50]
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
    """A folder of pictures without classes is added, trained on and searched in."""
    generator = torch.Generator().manual_seed(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(24):
        pixels = torch.randint(0, 256, (6, 6, 3), generator=generator, dtype=torch.uint8).numpy()
        Image.fromarray(pixels).resize((24, 24)).save(folder / f"{i:02}.png")
    done = command("data", "add", "mine", folder)
    assert done.returncode == 0, done.stderr
    assert "mine: 24 pictures of 24 px, 0 classes, 0 of them to test; use it as --dataset mine" in done.stdout
    listed = command("list")
    assert "mine" in listed.stdout
    assert "24 pictures 24x24" in listed.stdout
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
