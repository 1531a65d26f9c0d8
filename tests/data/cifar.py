"""A small archive in the format of CIFAR-10, served on the loopback interface."""

from __future__ import annotations

import hashlib
import http.server
import io
import pickle
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
Setting = tuple[str, Any]


def part(first: int, labels: list[int]) -> bytes:
    """A batch file of the archive: every pixel of image i is (first + i) % 256."""
    pixels = np.repeat((np.arange(first, first + len(labels)) % 256).astype(np.uint8)[:, None], 3072, axis=1)
    return pickle.dumps({"data": pixels, "labels": labels})


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@contextmanager
def served(folder: Path, train: list[list[int]], test: list[int]) -> Iterator[tuple[Path, list[Setting]]]:
    """Serve an archive with these labels; yields its path and the attributes to set on torchvision's CIFAR10.

    Args:
        train: labels of the five parts; their pixels count up from 2, the test part's from 50.
    """
    starts = np.cumsum([2, *(len(labels) for labels in train)])
    parts = {f"data_batch_{i}": part(int(starts[i - 1]), labels) for i, labels in enumerate(train, 1)}
    parts["test_batch"] = part(50, test)
    parts["batches.meta"] = pickle.dumps({"label_names": NAMES})
    archive = folder / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for name, content in parts.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
    settings: list[Setting] = [
        ("url", f"http://127.0.0.1:{httpd.server_port}/{archive.name}"),
        ("tgz_md5", md5(archive.read_bytes())),
        ("train_list", [(f"data_batch_{i}", md5(parts[f"data_batch_{i}"])) for i in range(1, 6)]),
        ("test_list", [("test_batch", md5(parts["test_batch"]))]),
        ("meta", {"filename": "batches.meta", "key": "label_names", "md5": md5(parts["batches.meta"])}),
    ]
    yield archive, settings
    httpd.shutdown()
