"""Odd calls: any JSON for any event ends in a sentence, nothing is downloaded, and the log stays short."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from gradio import history, processing_utils, route_utils, routes

from cl_core.ui import gate, gradio_guards
from cl_core.ui.event_values import MAX_VALUES, problem_of
from tests.ui.raw import ask, event, served

pytestmark = pytest.mark.slow

JSON = {"Content_Type": "application/json"}
ODD: list[Any] = [
    None,
    True,
    -1,
    2**64,
    10**400,
    1e300,
    "x",
    "\x1b[2J\nerror: forged",
    [],
    ["x"],
    [[]],
    {},
    {"path": "x"},
    "y" * 5000,
]


@pytest.fixture(scope="module")
def app() -> Iterator[tuple[str, Any]]:
    with served() as opened:
        yield opened


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A web server that no request may reach, and what reached it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_odd_values_end_in_a_sentence_and_no_traceback(app: tuple[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    """Every event of one language's page that calls a function here, with one value changed at a time, and with its data odd."""
    url, blocks = app
    events = [fn for fn in blocks.fns.values() if fn.fn and fn.inputs and not fn.queue]
    tried = 0
    for fn in events[: len(events) // 2]:
        if fn.collects_event_data:
            assert "reload the page" in event(url, fn._id, [None for _ in fn.inputs], queued=False)
            continue
        for place, component in enumerate(fn.inputs):
            for odd in ODD:
                given = [each.value if not isinstance(each, gr.State) else None for each in fn.inputs]
                given[place] = odd
                body = json.dumps({"data": given, "fn_index": fn._id, "session_hash": "odd"}).encode()
                if not problem_of(body, blocks.fns, {}):
                    if odd in ODD[6:8] and fn._id % 3 == 0:  # a text that Gradio and its handler get
                        ask(url, "/gradio_api/run/predict", body, **JSON)
                else:
                    tried += 1
                    if odd in ODD[3:6] or tried % 40 == 0:  # all pass the same check before Gradio
                        assert ask(url, "/gradio_api/run/predict", body, **JSON).status == 422, component
    assert tried > 300
    for number in (10**6, -1, True, "1", None, [1]):
        body = json.dumps({"data": [], "fn_index": number, "session_hash": "odd"})
        assert ask(url, "/gradio_api/run/predict", body, **JSON).status == 422
    logged = capfd.readouterr()
    assert "Traceback" not in logged.err + logged.out
    lines = (logged.err + logged.out).split("\n")
    assert not [line for line in lines if line.startswith("error: forged") or "\x1b" in line or len(line) > 400]


@pytest.mark.parametrize("body", ["", "[1]", "{", '{"data": 1, "fn_index": 0}', '{"fn_index": 0}', "nul", '"x"', "[" * 5000])
def test_what_is_no_call_is_refused(app: tuple[str, Any], body: str) -> None:
    assert ask(app[0], "/gradio_api/run/predict", body, **JSON).status == 422
    assert ask(app[0], "/gradio_api/call/search", body, **JSON).status == 422


def test_names_that_gradio_remembers_are_short(app: tuple[str, Any]) -> None:
    url, _ = app
    assert ask(url, f"/gradio_api/upload_progress?upload_id={'x' * 65}").status == 404
    assert ask(url, f"/gradio_api/queue/data?session_hash={'x' * 65}").status == 404
    body = json.dumps({"data": [], "session_hash": "x" * 65})
    assert ask(url, "/gradio_api/call/list_models", body, **JSON).status == 422
    assert ask(url, f"/?model={'x' * 9000}").status == 414
    for path in ("/assets/./index.js", "/assets//index.js", "//", "/gradio_api/file=/etc/../etc/passwd"):
        assert ask(url, path).status == 404, path


def test_names_of_uploads_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    known = route_utils.FileUploadProgress()
    monkeypatch.setattr(routes, "file_upload_statuses", known)
    monkeypatch.setattr(gradio_guards, "MAX_NAMES", 3)
    for number in range(10):
        _ = known._signals[f"asked{number}"]
        known.append(f"sent{number}", "a.png", b"x")
        if number:
            known.set_done(f"sent{number}")
    gradio_guards.forget_uploads()
    assert len(known._signals) == len(known._statuses) == 3
    assert "sent0" in known._statuses, "it is being sent"


def test_a_call_of_many_values_is_not_read(app: tuple[str, Any]) -> None:
    url, _ = app
    body = b'{"data": [[' + b"{}," * MAX_VALUES + b"{}]]}"
    assert ask(url, "/gradio_api/call/similarity", body, **JSON).status == 422
    assert f"{MAX_VALUES:,}" in ask(url, "/gradio_api/mcp/", body, **JSON).text


def test_streams_of_one_address_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MAX_STREAMS", 2)
    with served(host="0.0.0.0") as (url, _):
        place = urllib.parse.urlsplit(url)
        opened = []
        for number in range(2):
            connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
            connection.request("GET", f"/gradio_api/heartbeat/a{number}")
            assert connection.getresponse().status == 200
            opened.append(connection)
        assert ask(url, "/gradio_api/heartbeat/a2").status == 503
        assert ask(url, "/gradio_api/call/list_models", '{"data": []}', **JSON).status == 200, "calls are no streams"
        for connection in opened:
            connection.close()


def test_calls_in_progress_share_so_much_memory(app: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"data": []})
    assert ask(app[0], "/gradio_api/call/list_models", body, **JSON).status == 200
    monkeypatch.setattr(gate, "MAX_HELD", 5)
    assert ask(app[0], "/gradio_api/call/list_models", body, **JSON).status == 503


def test_no_event_downloads_what_it_names(
    app: tuple[str, Any], elsewhere: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, blocks = app
    address, asked = elsewhere
    file = {"path": f"{address}/large.png", "meta": {"_type": "gradio.FileData"}}
    for hidden in (file, {"a": [file]}):
        for fn in [each for each in blocks.fns.values() if each.fn and each.inputs]:
            given = [each.value if not isinstance(each, gr.State) else None for each in fn.inputs]
            given[-1] = hidden
            body = json.dumps({"data": given, "fn_index": fn._id, "event_data": {}, "session_hash": "here"})
            ask(url, "/gradio_api/run/predict", body, **JSON)
    ask(url, "/gradio_api/call/search", json.dumps({"data": [file, file, file, file]}), **JSON)
    assert asked == []
    with pytest.raises(gr.Error):  # where a check is missing, Gradio itself does not download either
        asyncio.run(processing_utils.async_ssrf_protected_download(f"{address}/large.png", cache_dir="/tmp"))
    assert asked == []


def test_a_form_without_a_file_is_not_collected(app: tuple[str, Any]) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\n' + b"x" * 100_000 + b"\r\n--b--\r\n"
    assert ask(app[0], "/gradio_api/upload", body, Content_Type="multipart/form-data; boundary=b").status == 400


def test_no_request_chooses_a_bucket_or_another_pages_address(app: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio would write runs to the bucket of the first header by this machine's token; the second is in everybody's pages."""
    used: list[object] = []
    monkeypatch.setattr(history, "resolve_token", lambda *given: used.append(given))
    url, blocks = app
    headers = {**JSON, "X_Gradio_History_Bucket": "victim/bucket", "X_Gradio_Server": "http://evil.example"}
    number = json.loads(ask(url, "/gradio_api/call/list_models", '{"data": []}', **headers).text)["event_id"]
    assert "complete" in ask(url, f"/gradio_api/call/list_models/{number}", **headers).text
    assert not blocks.run_history and used == []
    assert "evil.example" not in ask(url, "/gradio_api/info?all=1", **headers).text
    assert "evil.example" not in ask(url, "/gradio_api/info?all=1").text


def test_the_log_is_short_and_one_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("x\x1b[2J" + "y" * 10_000)
    except ValueError:
        gradio_guards.print_short()
    printed = capsys.readouterr().err
    assert "\x1b" not in printed and "\\x1b" in printed
    assert "ValueError: x" in printed and len(printed) < 2000
