"""The wheel: built, installed beside the dependencies that are here, used from an empty folder."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

MAX_WHEEL = 60_000_000  # bytes
START_S = 120.0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a fresh environment that holds the wheel and sees the dependencies of this one."""
    root = tmp_path_factory.mktemp("fresh") / "env"
    venv.create(root, with_pip=False)
    scripts = root / ("Scripts" if os.name == "nt" else "bin")
    (site,) = root.rglob("site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(scripts / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    return scripts


@pytest.fixture
def empty(private_cache: Callable[[], str]) -> dict[str, str]:
    """The environment of a program that starts in an empty folder and knows nothing of the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"CL_CACHE_DIR": private_cache()}


def test_what_is_in_the_wheel(wheel: Path) -> None:
    assert wheel.stat().st_size <= MAX_WHEEL
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = "cl_core/_shipped"
    assert {"cl_core/py.typed", "cl_core/text/zh.json", f"{shipped}/app.py"} <= names
    for folder in ("assets/emoji", "assets/fashion", "assets/mnist", "assets/wordnet"):
        assert any(name.startswith(f"{shipped}/{folder}/LICENSE") for name in names), folder
    runs = {path.parent.name for path in (ROOT / "checkpoints").glob("*/run.json")}
    assert {f"{shipped}/checkpoints/{run}/model.safetensors" for run in runs} <= names
    assert not [name for name in names if name.startswith("tests/") or name.endswith((".test.js", ".pyc"))]


def test_commands_work_from_an_empty_folder(installed: Path, empty: dict[str, str], tmp_path: Path) -> None:
    where = tmp_path / "here"
    where.mkdir()
    run = [str(installed / "contrastive-explorer"), "list", "--json"]
    done = subprocess.run(run, cwd=where, env=empty, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "emoji-simclr" in done.stdout
    code = "import cl_core; print(cl_core.__file__); model = cl_core.load('emoji-simclr-small'); "
    code += "print(model.search(model.dataset.images[0], top=1)[0].name)"
    done = subprocess.run([installed / "python", "-c", code], cwd=where, env=empty, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    file, name = done.stdout.splitlines()
    assert str(installed.parent) in file
    assert name == "grinning face"
    run = [str(installed / "contrastive-explorer"), "deploy", "someone/explorer", "--dry-run"]
    done = subprocess.run(run, cwd=where, env=empty, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sent = {line.split()[-1] for line in done.stdout.splitlines()}
    assert {"app.py", "cl_core/ui/build.py", "assets/emoji/images.webp", "checkpoints/emoji-simclr/run.json"} <= sent
    assert not [name for name in sent if "_shipped" in name]
    assert not list(where.iterdir())


def test_the_app_opens_and_searches(installed: Path, empty: dict[str, str], tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path / "log").open("w")
    where = tmp_path / "here"
    where.mkdir()
    command = [str(installed / "contrastive-explorer"), "--port", str(port)]
    app = subprocess.Popen(command, cwd=where, env=empty, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}/gradio_api/call/search"
        body = json.dumps({"data": ["emoji-simclr", "dog", 3, "trained"]}).encode()
        deadline = time.monotonic() + START_S
        while True:
            try:
                request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
                event = json.load(urllib.request.urlopen(request))["event_id"]
                break
            except OSError:
                assert app.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.3)
        answer = urllib.request.urlopen(f"{url}/{event}").read().decode()
        (found,) = json.loads(answer.partition("event: complete\ndata: ")[2])
        assert len(found) == 3 and found[0]["name"] == "dog face"
    finally:
        app.terminate()
        assert app.wait(timeout=30) == 0, (tmp_path / "log").read_text()


def test_pins_fit_the_ranges() -> None:
    done = subprocess.run([sys.executable, "scripts/pins.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
