"""Downloads over HTTP: resumed after a break, verified by their checksum."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cl_core.data.http_files import WrongChecksum, fetch_file

CONTENT = bytes(range(256)) * 4_000  # about a megabyte
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server:
    """Serves `content`; `cut` bytes at a time if it is not 0. requests: the first byte that each asked for."""

    def __init__(self) -> None:
        self.content, self.cut, self.ranges, self.requests = CONTENT, 0, True, list[int]()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
                first = int(found[1]) if found and server.ranges else 0
                server.requests.append(first)
                if first >= len(server.content):
                    return self.send_error(416)
                self.send_response(206 if first else 200)
                self.send_header("Content-Length", str(len(server.content) - first))
                self.end_headers()
                rest = server.content[first:]
                self.wfile.write(rest[: server.cut] if server.cut else rest)
                return None

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/file"


@pytest.fixture
def server() -> Iterator[Server]:
    serving = Server()
    yield serving
    serving.http.shutdown()


def test_an_interrupted_download_is_resumed(server: Server, tmp_path: Path) -> None:
    file, seen = tmp_path / "below" / "file", list[tuple[int, int]]()
    server.cut = 400_000
    for arrived in (400_000, 800_000):
        with pytest.raises(OSError, match=r"ended after 0\.[48] of 1\.0 MB"):
            fetch_file(server.url, file, MD5, lambda *progress: seen.append(progress))
        assert (file.parent / "file.part").stat().st_size == arrived and not file.exists()
    fetch_file(server.url, file, MD5, lambda *progress: seen.append(progress))
    assert file.read_bytes() == CONTENT
    assert server.requests == [0, 400_000, 800_000]
    assert [here for here, _ in seen] == sorted(here for here, _ in seen) and {total for _, total in seen} == {len(CONTENT)}
    assert [each.name for each in file.parent.iterdir()] == ["file"]
    fetch_file(server.url, file, MD5)
    assert len(server.requests) == 3, "it is there already"


def test_a_server_that_cannot_resume_sends_everything_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    server.ranges = False
    fetch_file(server.url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_whole_part_needs_no_request_for_more(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    fetch_file(server.url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"", b"something else"])
def test_another_file_is_not_kept(server: Server, tmp_path: Path, part: bytes) -> None:
    server.content = CONTENT[:-1] + b"?"
    if part:
        (tmp_path / "file.part").write_bytes(part)
    with pytest.raises(WrongChecksum, match="the checksum of file"):
        fetch_file(server.url, tmp_path / "file", MD5)
    assert list(tmp_path.iterdir()) == []


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        fetch_file("http://127.0.0.1:9/file", tmp_path / "file", MD5)
