"""What tests share: a private cache, a small trained run, and the app in a real process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # one test process a core
ROOT = Path(__file__).resolve().parent.parent
BROWSER = "tests/browser/"
SMALL = {
    "dataset": "digits",
    "image_size": 16,
    "batch_size": 128,
    "epochs": 3,
    "snapshots": 3,
    "views": {"flip": 0.0, "crop_scale_min": 0.5},
}


# Nothing a test computes is found or left in the user's cache, nor is the user's data; set before anything is imported.
CACHE = tempfile.TemporaryDirectory(prefix="contrastive-explorer-tests-")
os.environ["CL_CACHE_DIR"] = CACHE.name


def pytest_configure(config: pytest.Config) -> None:
    """Compile the views' kernel once, before several test processes would each do it."""
    if not hasattr(config, "workerinput"):
        warm = "import torch; from cl_core.data.views import *; p = torch.zeros(COMPILED_FROM, 3, 8, 8, dtype=torch.uint8)"
        subprocess.run([sys.executable, "-c", f"{warm}; make_views(p, ViewConfig(), 8, torch.Generator())"], cwd=ROOT, check=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's first, for they take longest; then those that train and start programs, which end the alphabet."""
    items.sort(key=lambda item: item.nodeid.partition("::")[0], reverse=True)
    items.sort(key=lambda item: not item.nodeid.startswith(BROWSER))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Where several processes share the tests, one drives the browser, with one app; the others take files."""
    return OneBrowser(config, log)


class OneBrowser(LoadFileScheduling):
    """All of the browser's tests are one piece of work."""

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER if nodeid.startswith(BROWSER) else str(super()._split_scope(nodeid))


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where this test process caches."""
    return Path(CACHE.name)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run: three epochs on scikit-learn's digits at 16 pixels."""
    import torch

    from cl_core.training.session import start

    folder = tmp_path_factory.mktemp("runs") / "small"
    session = start(folder, SMALL, torch.device("cpu"))
    assert session is not None
    for _ in session.events():
        pass
    return folder


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m cl_core ...` in a process of its own, in an empty folder."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cl_core", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
            **options,  # type: ignore[call-overload]
        )

    return run
