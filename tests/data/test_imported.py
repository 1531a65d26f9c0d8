"""Imported data sets from folders and archives, and downloaded data sets."""

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

from cl_core.data import imported
from cl_core.data.decoding import decode_image
from cl_core.data.downloads import get
from cl_core.data.imported import Description, imported_dir, imported_names, read_imported, write_imported
from cl_core.data.importing import import_images
from cl_core.data.pixels import to_tensor
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError
from cl_core.system.paths import cache_dir
from tests.conftest import ROOT
from tests.data.cifar import served

COLORS = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}


@pytest.fixture(autouse=True)
def empty_cache(own_cache: Path) -> None:
    pass


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
    "__MACOSX/photos/train/red/b.png": b"metadata that macOS adds to archives",
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


def test_damaged_data_set_raises_user_error(tmp_path: Path) -> None:
    import_images("mine", as_folder(tmp_path))
    (file,) = (imported_dir() / "mine").glob("images-*.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="is damaged: delete that folder and import it again"):
        read_imported("mine")


def files_of(name: str = "mine") -> dict[str, bytes]:
    """The files of an imported data set."""
    return {file.name: file.read_bytes() for file in (imported_dir() / name).iterdir() if file.name != ".lock"}


def image_folder(color: str, count: int, root: Path, folder: str = "") -> Path:
    """A folder with `count` images of a color."""
    below = root / color / folder
    below.mkdir(parents=True)
    for i in range(count):
        (below / f"{i:03}.png").write_bytes(image(color, (8, 8)))
    return root / color


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
    assert "mine: 3 images of 8 px, 1 classes" in done.stdout


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A local server of a CIFAR-10 archive with two images per part."""
    folder = tmp_path / "server"
    folder.mkdir()
    with served(folder, [[9 - i, i] for i in range(1, 6)], [3, 0]) as (archive, settings):
        for name, value in settings:
            monkeypatch.setattr(CIFAR10, name, value)
        yield archive


def test_cifar10_is_downloaded_once_and_sorted_by_class(server: Path) -> None:
    with pytest.raises(UserError, match=r"CIFAR-10 is not on this machine: `python -m cl_core data get cifar10` downloads it"):
        load_dataset("cifar10")
    fractions: list[float] = []
    assert get("cifar10", fractions.append)
    data = load_dataset("cifar10")
    # Labels 8 1, 7 2, 6 3, 5 4, 4 5 come as pixels 2 3, 4 5, 6 7, 8 9, 10 11.
    assert data.labels.tolist() == [1, 2, 3, 4, 4, 5, 5, 6, 7, 8, 0, 3]
    assert data.images[:, 0, 0, 0].tolist() == [3, 5, 7, 9, 10, 8, 11, 6, 4, 2, 51, 50]
    assert (len(data.train), len(data.test), data.title) == (10, 2, "CIFAR-10")
    assert data.names[:2] == ["automobile", "bird"]
    assert not (cache_dir() / "torchvision" / "cifar10").exists()  # only the imported copy remains
    server.unlink()
    assert not get("cifar10")
    assert all(0 <= fraction <= 1 for fraction in fractions)


def test_failed_download_raises_user_error(server: Path) -> None:
    server.write_bytes(b"something else")
    with pytest.raises(UserError, match=r"CIFAR-10 could not be downloaded .* or import your copy"):
        get("cifar10")
    server.unlink()
    with pytest.raises(UserError, match=r"CIFAR-10 could not be downloaded"):
        get("cifar10")
    assert imported_names() == []
    with pytest.raises(UserError, match="'imagenet' cannot be downloaded: choose one of cifar10"):
        get("imagenet")


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
    assert "mine: 24 images of 24 px, 0 classes, 0 of them in the test split; use it as --dataset mine" in done.stdout
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
