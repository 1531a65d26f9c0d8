"""The small experiments: a linear head is better on SupCon's features than on random ones."""

from __future__ import annotations

import dataclasses
import gzip
import http.server
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torchvision.datasets import MNIST

from cl_core.errors import UserError
from cl_core.training.experiments import experiments, load_digits, run_experiment


def test_iris_exceeds_the_published_margin() -> None:
    chosen = experiments()["iris"]
    outcome, task, _ = run_experiment(dataclasses.replace(chosen, epochs=200), seeds=2, progress=lambda loss: None)
    assert (len(task.train), len(task.test), task.classes) == (120, 30, 3)
    trained, random = outcome.after(1)
    assert chosen.source_random is not None
    assert trained > 0.9
    assert trained - random > chosen.source_trained - chosen.source_random
    assert outcome.losses[0][-1] < outcome.losses[0][0]


@pytest.mark.parametrize("name", ["mnist-cnn", "mnist-mlp"])
def test_mnist_subset(name: str) -> None:
    """A few epochs on 1,000 digits suffice."""
    chosen = experiments()[name]

    def small(seed: int) -> object:
        task, encoder = chosen.prepare(seed)
        fewer = {"train": task.train[::8], "train_labels": task.train_labels[::8]}
        return dataclasses.replace(task, **fewer, test=task.test[::4], test_labels=task.test_labels[::4]), encoder

    outcome, task, (encoder, random_encoder) = run_experiment(
        dataclasses.replace(chosen, prepare=small, epochs=4), seeds=1, progress=lambda loss: None
    )
    trained, random = outcome.after(1)
    assert trained > random + 0.1
    assert len(task.train) == 1000
    assert any(not torch.equal(a, b) for a, b in zip(encoder.parameters(), random_encoder.parameters(), strict=True))


def test_the_networks_are_those_of_the_sources() -> None:
    _, cnn = experiments()["mnist-cnn"].prepare(0)
    _, mlp = experiments()["mnist-mlp"].prepare(0)
    _, table = experiments()["iris"].prepare(0)
    shapes = [[tuple(p.shape) for p in net.parameters() if p.dim() > 1] for net in (cnn, mlp, table)]
    assert shapes[0] == [(16, 1, 3, 3), (32, 16, 3, 3), (128, 1568)]
    assert shapes[1] == [(128, 784), (128, 128)]
    assert shapes[2] == [(10, 4), (6, 10)]


def idx(values: torch.Tensor) -> bytes:
    header = struct.pack(f">BBBB{values.dim()}I", 0, 0, 8, values.dim(), *values.shape)
    return gzip.compress(header + values.byte().numpy().tobytes())


@pytest.fixture
def mirror(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A server on loopback in place of MNIST's mirrors, with four training and two test digits."""
    import hashlib

    files = {
        "train-images-idx3-ubyte.gz": idx(torch.arange(4 * 784).view(4, 28, 28) % 256),
        "train-labels-idx1-ubyte.gz": idx(torch.tensor([3, 1, 4, 1])),
        "t10k-images-idx3-ubyte.gz": idx(torch.zeros(2, 28, 28)),
        "t10k-labels-idx1-ubyte.gz": idx(torch.tensor([5, 9])),
    }
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setattr(MNIST, "resources", [(n, hashlib.md5(c).hexdigest()) for n, c in files.items()])
    yield folder
    server.shutdown()


def test_full_mnist_is_downloaded_and_cached(mirror: Path) -> None:
    data = load_digits(full=True)
    assert data.labels.tolist() == [1, 1, 3, 4, 5, 9], "each split is sorted by class"
    assert (data.train.tolist(), data.test.tolist()) == ([0, 1, 2, 3], [4, 5])
    assert data.images.shape == (6, 3, 28, 28)
    assert int(data.images[2, 0, 0, 5]) == 5
    for file in mirror.iterdir():
        file.unlink()
    assert len(load_digits(full=True)) == 6  # from the cache


def test_a_damaged_download_raises_user_error(mirror: Path) -> None:
    (mirror / "train-labels-idx1-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(UserError, match="MNIST could not be downloaded"):
        load_digits(full=True)
