"""What apps of their own share with the others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """A new cache with nothing in it but the features of what is shipped, which all tests share."""

    def make() -> str:
        shared = Path(os.environ["CL_CACHE_DIR"]) / "galleries"
        shared.mkdir(parents=True, exist_ok=True)
        folder = tmp_path_factory.mktemp("cache")
        (folder / "galleries").symlink_to(shared)
        return str(folder)

    return make
