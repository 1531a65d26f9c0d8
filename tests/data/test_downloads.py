"""Public data sets, downloaded from a server on loopback that has small ones in the same formats."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import io
import struct
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision.datasets import MNIST, STL10, FashionMNIST, Flowers102, OxfordIIITPet

from cl_core.data.downloads import DOWNLOADS, get
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError
from cl_core.system.paths import cache_dir


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, own_cache: Path) -> Iterator[tuple[Path, str]]:
    """A folder that is served, and its address."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def packed(file: Path, contents: dict[str, bytes]) -> str:
    """Write a tar archive; returns its checksum."""
    with tarfile.open(file, "w:gz") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return md5(file)


def jpeg(value: int, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (value, value, value)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.mark.parametrize(("name", "kind"), [("mnist-full", MNIST), ("fashion-full", FashionMNIST)])
def test_mnist(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, name: str, kind: type[MNIST]) -> None:
    folder, address = site
    resources = []
    for split, labels in (("train", [3, 1, 2]), ("t10k", [1, 0])):
        pixels = b"".join(bytes([10 * (i + 1)]) * 784 for i in range(len(labels)))
        for part, header in (("images-idx3", (2051, len(labels), 28, 28)), ("labels-idx1", (2049, len(labels)))):
            file = folder / f"{split}-{part}-ubyte.gz"
            content = struct.pack(f">{len(header)}I", *header) + (pixels if "images" in part else bytes(labels))
            file.write_bytes(gzip.compress(content, mtime=0))
            resources.append((file.name, md5(file)))
    monkeypatch.setattr(kind, "mirrors", [address])
    monkeypatch.setattr(kind, "resources", resources)
    fractions: list[float] = []
    assert get(name, fractions.append)
    data = load_dataset(name)
    assert data.images.shape == (5, 3, 28, 28)
    assert data.images[:, 0, 0, 0].tolist() == [20, 30, 10, 20, 10], "each split is sorted by class"
    assert data.labels.tolist() == [1, 2, 3, 0, 1] and len(data.train) == 3
    assert len(data.classes) == 10 and not any(" - " in each for each in data.classes)
    assert fractions and all(0 <= each <= 1 for each in fractions)


def test_flowers(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, address = site
    photos = {f"jpg/image_{i:05d}.jpg": jpeg(20 * i, (300, 200) if i % 2 else (100, 150)) for i in range(1, 7)}
    files = {"image": ("102flowers.tgz", packed(folder / "102flowers.tgz", photos))}
    savemat(folder / "imagelabels.mat", {"labels": np.array([[2, 1, 1, 2, 102, 1]])})
    savemat(folder / "setid.mat", {"trnid": np.array([[1, 2]]), "valid": np.array([[3, 5]]), "tstid": np.array([[4, 6]])})
    for key, name in (("label", "imagelabels.mat"), ("setid", "setid.mat")):
        files[key] = (name, md5(folder / name))
    monkeypatch.setattr(Flowers102, "_download_url_prefix", address)
    monkeypatch.setattr(Flowers102, "_file_dict", files)
    assert get("flowers102")
    data = load_dataset("flowers102")
    assert data.labels.tolist() == [0, 0, 1, 101, 0, 1] and len(data.train) == 4
    assert data.images.shape == (6, 3, 224, 224) and len(data.classes) == 102
    middle = data.images[:, 0, 112, 112].float()
    assert torch.allclose(middle, torch.tensor([40.0, 60, 20, 100, 120, 80]), atol=2)


def test_pets(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, address = site
    names = ["Abyssinian_1", "beagle_1", "beagle_2", "Abyssinian_2"]
    photos = {f"images/{name}.jpg": jpeg(50 * (i + 1), (90, 60)) for i, name in enumerate(names)}
    lines = {
        split: "".join(f"{name} {1 if name.startswith('A') else 2} 1 1\n" for name in chosen)
        for split, chosen in (("trainval", names[:3]), ("test", names[3:]))
    }
    notes = {f"annotations/{split}.txt": text.encode() for split, text in lines.items()} | {"annotations/trimaps/x.png": b""}
    resources = tuple(
        (f"{address}{file}", packed(folder / file, contents))
        for file, contents in (("images.tar.gz", photos), ("annotations.tar.gz", notes))
    )
    monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", resources)
    assert get("pets")
    data = load_dataset("pets")
    assert data.classes == ["Abyssinian", "Beagle"] and data.labels.tolist() == [0, 1, 1, 0]
    assert data.names == ["Abyssinian", "Beagle", "Beagle", "Abyssinian"] and len(data.train) == 3
    assert data.images.shape == (4, 3, 224, 224)
    assert not (cache_dir() / "torchvision" / "pets").exists()


def test_stl10(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, address = site
    pixels = {"train": [7, 8], "test": [9], "unlabeled": [1]}
    contents = {f"{name}_X.bin": b"".join(bytes([v]) * 3 * 96 * 96 for v in values) for name, values in pixels.items()}
    contents |= {"train_y.bin": bytes([2, 1]), "test_y.bin": bytes([10])}
    kinds = b"airplane bird car cat deer dog horse monkey ship truck".replace(b" ", b"\n")
    archive = {f"stl10_binary/{name}": content for name, content in contents.items()} | {"stl10_binary/class_names.txt": kinds}
    digests = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(STL10, "url", f"{address}stl10_binary.tar.gz")
    monkeypatch.setattr(STL10, "tgz_md5", packed(folder / "stl10_binary.tar.gz", archive))
    monkeypatch.setattr(STL10, "train_list", [[n, digests[n]] for n in ("train_X.bin", "train_y.bin", "unlabeled_X.bin")])
    monkeypatch.setattr(STL10, "test_list", [[n, digests[n]] for n in ("test_X.bin", "test_y.bin")])
    assert get("stl10")
    data = load_dataset("stl10")
    assert data.images[:, 0, 0, 0].tolist() == [8, 7, 9] and data.labels.tolist() == [0, 1, 9] and data.size == 96


def test_every_download_has_addresses_and_checksums() -> None:
    for each in DOWNLOADS.values():
        files = each.files()
        assert files and all(file.url.startswith("http") and len(file.md5) == 32 for file in files)


def test_without_a_network_a_sentence_says_what_to_do(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STL10, "url", "http://127.0.0.1:9/x")
    with pytest.raises(UserError, match="STL-10 could not be downloaded"):
        get("stl10")
    assert "stl10" not in dataset_names()
