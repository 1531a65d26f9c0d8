"""Import of folders and archives."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from cl_core.data.decoding import decode_image
from cl_core.data.imported import imported_names, read_imported
from cl_core.data.importing import import_images
from cl_core.data.pixels import to_tensor
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError
from tests.data.folders import COLORS, FILES, as_folder, image, image_folder


@pytest.fixture(autouse=True)
def empty_cache(own_cache: Path) -> None:
    pass


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
def test_folder_and_archives_are_equal(pack: Callable[[Path], Path], tmp_path: Path) -> None:
    fractions: list[float] = []
    assert import_images("mine", pack(tmp_path), title="My photos", license="mine alone", progress=fractions.append) == []
    data = load_dataset("mine")
    assert (data.name, data.title, data.license) == ("mine", "My photos", "mine alone")
    assert data.classes == ["blue", "green", "red"]
    assert data.names == ["green 0", "red a", "red b", "blue 0", "green 0"]
    assert data.labels.tolist() == [1, 2, 2, 0, 1]
    assert (data.train.tolist(), data.test.tolist(), data.shown.tolist()) == ([0, 1, 2], [3, 4], [3, 4])
    assert data.images.shape == (5, 3, 20, 20)
    assert data.images[3, :, 10, 10].tolist() == [0, 0, 250]
    assert "mine" in dataset_names()
    assert fractions == sorted(fractions)


def test_unlabeled_folder(tmp_path: Path) -> None:
    for i, color in enumerate(COLORS):
        (tmp_path / f"{i}.png").write_bytes(image(color, (100, 50)))
    import_images("flat", tmp_path)
    data = load_dataset("flat")
    assert data.labels.tolist() == [-1, -1, -1]
    assert data.classes == []
    assert data.family_names == ["no class"]
    assert data.images.shape == (3, 3, 64, 64)  # at most 64 px by default
    assert data.images[0, :, 0, 0].tolist() == [255, 255, 255]  # padded to a square
    import_images("flat-large", tmp_path, size=96)
    assert load_dataset("flat-large").size == 96


def test_images_outside_the_splits_are_unlabeled_images_to_train_on(tmp_path: Path) -> None:
    """As in STL-10: train, test and unlabeled."""
    for number, name in enumerate(["train/cat/a", "train/dog/b", "test/cat/c", "test/dog/d", "unlabeled/e", "f"]):
        file = tmp_path / "in" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (40 * number, 0, 0)).save(file)
    assert not import_images("mine", tmp_path / "in")
    data = load_dataset("mine")
    assert data.images[:, 0, 0, 0].tolist() == [0, 40, 200, 160, 80, 120]
    assert data.labels.tolist() == [0, 1, -1, -1, 0, 1]
    assert (data.train.tolist(), data.test.tolist()) == ([0, 1, 2, 3], [4, 5])


def test_damaged_files_are_skipped(tmp_path: Path) -> None:
    folder = as_folder(tmp_path)
    (folder / "photos/train/red/b.png").write_bytes(image("red")[:60])
    problems = import_images("mine", folder)
    assert len(problems) == 1
    assert str(problems[0]).startswith("b.png ")
    assert load_dataset("mine").names == ["green 0", "red a", "blue 0", "green 0"]
    assert load_dataset("mine").train.tolist() == [0, 1]


def test_archive_paths_do_not_escape(tmp_path: Path) -> None:
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
    import_images("zip", tmp_path / "evil.zip")
    import_images("tar", tmp_path / "evil.tar")
    assert {p for p in tmp_path.rglob("*") if "cache" not in p.parts} == before
    assert load_dataset("zip").classes == ["escape", "etc"]
    assert load_dataset("tar").names == ["a 1", "b 2"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "nowhere", "There is no folder or archive"),
        (lambda p: p, "holds no image; PNG"),
        (lambda p: _file(p / "x.txt", b"text"), "is neither a folder nor a zip or tar archive"),
        (lambda p: _file(p / "cut.zip", as_zip(p).read_bytes()[:-40]), "is neither a folder nor a zip or tar archive"),
        (lambda p: _file(p / "cut.tar.xz", as_tar(p).read_bytes()[:400]), "cannot be read"),
        (lambda p: _file(p / "one" / "1.png", image("red")).parent, "holds fewer than two images that can be read"),
    ],
)
def test_unreadable_source_raises_user_error(make: Callable[[Path], Path], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        import_images("mine", make(tmp_path))
    assert imported_names() == []


def _file(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["../up", "", "A", "with space", "a/b", "-x"])
def test_invalid_name_raises_user_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot name a data set"):
        import_images(name, as_folder(tmp_path))


def test_public_name_requires_public_sizes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cifar10 has 50,000 training and 10,000 test images, but .* holds 3 and 2"):
        import_images("cifar10", as_folder(tmp_path))


@pytest.mark.parametrize("archive", [False, True], ids=["folder", "tar"])
def test_names_that_are_not_utf8(archive: bool, tmp_path: Path) -> None:
    """Invalid bytes are replaced, and classes that become equal are numbered."""
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
    assert import_images("mine", source) == []
    data = read_imported("mine")
    assert data.classes == ["Bl\u00fcte", "caf\ufffd", "caf\ufffd (2)"]
    assert data.names == ["Bl\u00fcte \u82b1", "caf\ufffd \ufffd\ufffd", "caf\ufffd (2) \ufffd"]
    assert data.labels.tolist() == [0, 1, 2]


def test_images_are_resized_to_the_largest_side(tmp_path: Path) -> None:
    sides = [(8, 8), (20, 12), (300, 100)]
    for i, size in enumerate(sides):
        (tmp_path / f"{i}.png").write_bytes(image("green", size))
    for count, side in ((2, 20), (3, 64)):
        folder = tmp_path / str(count)
        folder.mkdir()
        for i in range(count):
            shutil.copy(tmp_path / f"{i}.png", folder)
        import_images("mine", folder)
        expected = torch.cat([to_tensor(decode_image(tmp_path / f"{i}.png", most=64), side) for i in range(count)])
        assert torch.equal(read_imported("mine").images, expected)


def test_skipped_files_are_listed(command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    folder = image_folder("red", 3, tmp_path, "good")
    (folder / "bad").mkdir()
    for i in range(12):
        (folder / "bad" / f"{i:02}.png").write_bytes(b"no image")
    done = command("data", "add", "mine", folder)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("skipped: ")]
    assert [line.split()[1] for line in lines[:10]] == [f"{i:02}.png" for i in range(10)]
    assert lines[10:] == ["skipped: and 2 more"]
    assert "mine: 3 images of 8 px (0 of them in the test split), 1 classes" in done.stdout


def test_import_train_and_search_by_command(
    command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unlabeled folder is imported, trained on and searched."""
    generator = torch.Generator().manual_seed(0)
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(24):
        pixels = torch.randint(0, 256, (6, 6, 3), generator=generator, dtype=torch.uint8).numpy()
        Image.fromarray(pixels).resize((24, 24)).save(folder / f"{i:02}.png")
    done = command("data", "add", "mine", folder)
    assert done.returncode == 0, done.stderr
    assert "mine: 24 images of 24 px (0 of them in the test split), 0 classes; use it as --dataset mine" in done.stdout
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
