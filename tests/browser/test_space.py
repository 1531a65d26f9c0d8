"""What a Space gives: a checkout that cannot be written, no home, another user, no way out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.browser.conftest import free_port
from tests.conftest import ROOT

DEPLOYED = ["app.py", "cl_core", "checkpoints", "assets"]
NOBODY = 65534


def as_another_user() -> list[str]:
    """Run without root's rights to write anywhere; whoever is not root has none."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def test_starts_read_only_offline_and_without_a_home(tmp_path: Path) -> None:
    checkout, temporary, log = tmp_path / "checkout", tmp_path / "tmp", tmp_path / "log"
    checkout.mkdir()
    temporary.mkdir(mode=0o777)
    temporary.chmod(0o777)
    for name in DEPLOYED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, checkout / name)
    for path in [checkout, *checkout.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in tmp_path.relative_to("/tmp").parents if tmp_path.is_relative_to("/tmp") else []:
        if str(parent) != ".":
            (Path("/tmp") / parent).chmod(0o755)
    tmp_path.chmod(0o755)
    before = sorted(checkout.rglob("*"))
    port = free_port()
    kept = {"PATH", "LANG", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "OMP_WAIT_POLICY"}
    environment = {key: value for key, value in os.environ.items() if key in kept} | {
        "HOME": "/nonexistent",
        "TMPDIR": str(temporary),
        "GRADIO_TEMP_DIR": str(temporary / "gradio"),
        "HTTP_PROXY": "http://127.0.0.1:9",  # nobody listens there: what leaves the machine fails
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
        "GRADIO_SERVER_PORT": str(port),
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [*as_another_user(), sys.executable, "app.py"],
            cwd=checkout,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + 120
        while True:
            try:
                page = opener.open(f"http://127.0.0.1:{port}/", timeout=5).read().decode()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        assert "Contrastive Explorer" in page
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        process.terminate()
        process.wait(timeout=30)
    assert sorted(checkout.rglob("*")) == before
