"""What tests share: a private cache, a small trained run, and the app in a real process."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["CL_WARM_UP"] = "0"  # nobody waits for the first model of most apps that tests start
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # one test process a core
ROOT = Path(__file__).resolve().parent.parent
BROWSER, OWN_APPS = "tests/browser/", "tests/browser/apps/"
SMALL = {
    "dataset": "digits",
    "encoder": "cnn",
    "image_size": 16,
    "batch_size": 128,
    "epochs": 3,
    "snapshots": 3,
    "augment": {"flip_prob": 0.0, "crop_scale_min": 0.5},
}


# Nothing a test computes is found or left in the user's cache, nor is the user's data; set before anything is imported.
# Processes that share the tests share one: what the apps they start prepare takes two cores a minute.
if "PYTEST_XDIST_WORKER" not in os.environ:
    CACHE = tempfile.TemporaryDirectory(prefix="contrastive-explorer-tests-")
    os.environ["CL_CACHE_DIR"] = CACHE.name
    os.environ["CL_RUNS_DIR"] = f"{CACHE.name}/runs"


class KernelCompilation:
    """Compiles the views' kernel once while tests are collected, before several test processes would each do it."""

    def __init__(self) -> None:
        warm = "import torch; from cl_core.augment.views import *; p = torch.zeros(COMPILED_FROM, 3, 8, 8, dtype=torch.uint8)"
        command = [sys.executable, "-c", f"{warm}; make_views(p, AugmentConfig(), 8, torch.Generator())"]
        self.process = subprocess.Popen(command, cwd=ROOT)

    def pytest_collection_finish(self) -> None:
        assert self.process.wait(timeout=300) == 0

    def pytest_xdist_node_collection_finished(self) -> None:
        self.pytest_collection_finish()

    def pytest_unconfigure(self) -> None:
        self.process.terminate()
        self.process.wait()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(KernelCompilation())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's first, for they take longest; then those that train and start programs, which end the alphabet."""
    items.sort(key=lambda item: item.nodeid.partition("::")[0], reverse=True)
    items.sort(key=lambda item: not item.nodeid.startswith(BROWSER))
    for item in items:
        if item.nodeid.startswith(BROWSER):
            item.add_marker(pytest.mark.slow)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Where several processes share the tests, one drives a browser with one app, and one a browser with apps of its own."""
    return FewBrowsers(config, log)


class FewBrowsers(LoadFileScheduling):
    """All of the browser's tests are two pieces of work, for three browsers are too slow on two cores; the others go by files."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in (OWN_APPS, BROWSER) if nodeid.startswith(folder)), str(super()._split_scope(nodeid)))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, for a test that says what is in it."""
    from cl_core.system.paths import cache_dir

    monkeypatch.setenv("CL_CACHE_DIR", str(tmp_path / "cache"))
    cache_dir.cache_clear()
    yield tmp_path / "cache"
    cache_dir.cache_clear()


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, not to be changed: three epochs on scikit-learn's digits at 16 pixels; trained once for all processes."""
    import torch

    from cl_core.training.recorder import start

    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder = root / "runs" / "small"
    with FileLock(root / "small.lock"):
        session = start(folder, SMALL, torch.device("cpu"))
        if session is not None:  # else it is finished
            for _ in session.events():
                pass
    return folder


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call the command line in an empty folder.

    In this process, for each start of Python with torch takes seconds; with options for `subprocess.run` in one of its own.
    input: what it reads.
    """

    def run(*arguments: object, input: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
        words = [str(each) for each in arguments]
        if options:
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            whole: dict[str, Any] = {
                "cwd": tmp_path,
                "env": environment,
                "capture_output": True,
                "text": True,
                "timeout": 300,
                "input": input,
            } | options
            return subprocess.run([sys.executable, "-m", "cl_core", *words], **whole)
        from cl_core.cli.main import main

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(input.encode())))
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            try:
                code = main(words)
            except SystemExit as end:  # argparse
                code = end.code if isinstance(end.code, int) else 1
        return subprocess.CompletedProcess(words, code, out.getvalue(), errors.getvalue())

    return run


@pytest.fixture(scope="session")
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """A new cache with nothing in it but the features of what is shipped, which all tests share."""

    def make() -> str:
        folder = tmp_path_factory.mktemp("cache")
        folder.chmod(0o777)  # some apps run as another user
        for name in ("galleries", "features"):
            shared = Path(os.environ["CL_CACHE_DIR"]) / name
            shared.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(shared)
        sprites = Path(os.environ["CL_CACHE_DIR"]) / "sprites"
        if sprites.is_dir():  # served from this cache alone, so it has names of its own for the same files
            shutil.copytree(sprites, folder / "sprites", copy_function=os.link, ignore=shutil.ignore_patterns("*.tmp"))
            (folder / "sprites").chmod(0o777)
        return str(folder)

    return make
