"""CIFAR-10 as it is downloaded: images by class, once, and a sentence if that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from torchvision.datasets import CIFAR10

from cl_core.data.downloads import get
from cl_core.data.imported import imported_names
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.system.paths import cache_dir
from tests.data.cifar import served


@pytest.fixture(autouse=True)
def empty_cache(own_cache: Path) -> None:
    pass


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
    with pytest.raises(UserError, match=r"`python -m cl_core data add my-pets FOLDER` imports your copy"):
        load_dataset("pets")  # `data add pets` is refused
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
