"""Files of visitors: which are theirs to name, and what becomes of those that were cut off."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cl_core.errors import UserError
from cl_core.ui import uploads
from cl_core.ui.uploads import Workspace, received, sweep
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads" / "ab12").mkdir(parents=True)
    (tmp_path / "uploads" / "ab12" / "own.png").write_bytes(b"x")
    (tmp_path / "secret.png").write_bytes(b"x")
    return tmp_path / "uploads"


def test_only_uploads_are_received(folder: Path) -> None:
    assert received(str(folder / "ab12" / "own.png")) == (folder / "ab12" / "own.png").resolve()
    (folder / "ab12" / "link.png").symlink_to(folder.parent / "secret.png")
    said = set()
    for path in (
        str(folder.parent / "secret.png"),
        str(folder / "ab12" / ".." / ".." / "secret.png"),
        str(folder / "ab12" / "link.png"),
        str(folder / "ab12" / "missing.png"),
        str(folder / "ab12"),
        str(folder) + "-else/own.png",
        "own.png",
        "",
        "\0",
        "x" * 5000,
        "/etc/passwd",
    ):
        with pytest.raises(UserError) as error:
            received(path)
        said.add(str(error.value))
    assert len(said) == 1, "what is there and what is not look alike"


def test_cut_uploads_are_removed_and_whole_ones_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    (folder / "tmp1").write_bytes(b"cut off")
    os.utime(folder / "tmp1", (now - 100, now - 100))
    (folder / "tmp2").write_bytes(b"being sent")
    assert sweep(folder, now) == 1
    assert {each.name for each in folder.iterdir()} == {"ab12", "tmp2"}
    monkeypatch.setattr(uploads, "MAX_BYTES", 250)
    for number in range(4):
        file = folder / f"{number}" / "a.png"
        file.parent.mkdir()
        file.write_bytes(b"x" * 100)
        os.utime(file, (now - 100 + number, now - 100 + number))
    assert sweep(folder, now) == 2
    assert [(folder / f"{number}" / "a.png").exists() for number in range(4)] == [False, False, True, True]
    assert sweep(folder / "missing", now) == 0


def test_what_a_killed_start_left_goes_at_the_next(own_cache: Path) -> None:
    program = "import time; from cl_core.ui.uploads import Workspace as W; w = W(); (w.uploads / 'a').write_text('a'); "
    program += "print(w.path, flush=True); time.sleep(60)"
    running = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    left, other = (Path(each.stdout.readline().strip()) for each in running if each.stdout)
    running[0].kill()
    running[0].wait()
    try:
        assert (left / "uploads" / "a").exists()
        own = Workspace()
        assert not left.exists()
        assert (other / "uploads" / "a").exists(), "its app is still there"
        own.close()
        assert not own.path.exists()
    finally:
        running[1].kill()
        running[1].wait()


def test_it_ends_in_order(tmp_path: Path, private_cache: Callable[[], str]) -> None:
    """SIGTERM: what is being answered is still answered; nothing stays behind. An upload that was cut off least of all."""
    port = _free()
    cache = Path(private_cache())
    environment = os.environ | {"CL_CACHE_DIR": str(cache)}
    with (tmp_path / "log").open("w") as log:
        app = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        stream = _connected(port)
        head = b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        cut = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + b"x" * 100_000
        stream.sendall(head + b"Content-Length: 10000000\r\n\r\n" + cut)
        places = cache / "starts"
        deadline = time.monotonic() + 20
        while not list(places.glob("*/uploads/tmp*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        stream.close()
        asked = _connected(port)
        body = b'{"data": ["emoji-simclr", "dog", 3, "pixels"]}'  # the first search computes for a second or two
        asked.sendall(b"POST /gradio_api/call/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        asked.sendall(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = ""
        while "}" not in answer:
            answer += asked.recv(4096).decode()
        number = answer.rpartition('"event_id":"')[2].partition('"')[0]
        asked.sendall(f"GET /gradio_api/call/search/{number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(0.2)
        app.send_signal(signal.SIGTERM)
        said = b""
        while part := asked.recv(65536):
            said += part
            if b"event: " in said.replace(b"event: heartbeat", b""):
                break
        assert app.wait(timeout=25) == 0, (tmp_path / "log").read_text()
        assert b"event: complete" in said, said[-300:]
        assert not list(places.glob("*/*"))
        assert "Traceback" not in (tmp_path / "log").read_text(), (tmp_path / "log").read_text()
    finally:
        app.kill()
        app.wait()


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 90
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_without_room_in_the_cache_uploads_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "full").write_text("")
    monkeypatch.setattr(uploads, "cache_dir", lambda: tmp_path / "full")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    workspace = uploads.Workspace()
    assert workspace.uploads.is_dir() and tmp_path in workspace.uploads.parents
    workspace.close()
    assert not workspace.path.exists()
