"""What passes the gate before the app, by real requests: names, sites, routes, sizes, rates, headers."""

from __future__ import annotations

import json
import socket
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from cl_core.system.paths import cache_dir
from cl_core.ui import api, limits
from cl_core.ui.modules import later_modules
from cl_core.ui.urls import file_url
from tests.ui.raw import COOKIE, ask, served, visit


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served() as (address, _):
        yield address


@pytest.fixture(scope="module")
def open_url() -> Iterator[str]:
    """The app as others reach it, who are strangers."""
    with served(host="0.0.0.0", hosts="lab.example") as (address, _):
        yield address


def test_what_one_visitor_sends_is_in_no_page_of_another() -> None:
    with served() as (url, _):
        for headers in ({"X_Gradio_Server": "https://evil.example"}, {"X_Forwarded_Proto": "https, http"}):
            assert ask(url, "/config", **headers).status == 200
            seen = ask(url, "/config").text
            assert "evil.example" not in seen and f"https://{urllib.parse.urlsplit(url).netloc}" not in seen


def test_addresses_that_are_malformed_are_no_error(url: str) -> None:
    assert ask(url, "/config", Referer="http://[").status == 200
    assert ask(url, "/gradio_api/queue/join", "{}", Origin="http://[").status == 403


ROUTES = ["/", "/zh", "/config", "/gradio_api/info", "/gradio_api/mcp/"]
CALLS = ["/gradio_api/call/search", "/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/upload", "/login"]


@pytest.mark.parametrize("path", [*ROUTES, *CALLS])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "localhost@evil", "8.8.8.8"])
def test_a_wrong_name_reaches_nothing(url: str, path: str, host: str) -> None:
    body = "{}" if path in CALLS else None
    reply = ask(url, path, body, Host=host, Origin=f"http://{host}")
    assert reply.status == 421
    assert "access-control-allow-origin" not in reply.headers
    said = json.loads(reply.text)["detail"]
    assert "--allow-host" in said


def test_names_that_are_its_own(url: str, open_url: str) -> None:
    port = urllib.parse.urlsplit(url).port
    for host in ("localhost", f"localhost:{port}", "127.0.0.1", "[::1]:80", "LOCALHOST."):
        assert ask(url, "/config", Host=host).status == 200, host
    for host in ("lab.example", "192.168.1.20:7860", socket.gethostname()):
        assert ask(open_url, "/config", Host=host).status == 200, host
    assert ask(open_url, "/config", Host="evil.example").status == 421
    assert ask(open_url, "/config", Host="lab.example", X_Forwarded_Host="evil.example").status == 421, (
        "a page names it in its links"
    )
    assert "evil" not in ask(open_url, "/", Host="lab.example").text


@pytest.mark.parametrize("path", CALLS)
def test_another_sites_page_calls_nothing(url: str, path: str) -> None:
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
    ):
        reply = ask(url, path, "{}", Content_Type="text/plain", **headers)
        assert reply.status == 403, headers
        assert "another site's page" in reply.text


def test_an_upload_from_another_site_leaves_nothing(url: str) -> None:
    body = '--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nx\r\n--b--\r\n'
    kind = {"Content_Type": "multipart/form-data; boundary=b"}
    assert ask(url, "/gradio_api/upload", body, Origin="http://evil.example", **kind).status == 403
    own = f"http://{urllib.parse.urlsplit(url).netloc}"
    sent = ask(url, "/gradio_api/upload", body, Origin=own, **kind)
    assert sent.status == 200
    assert Path(json.loads(sent.text)[0]).read_text() == "x"


def test_a_link_from_another_site_opens_the_page(url: str) -> None:
    assert ask(url, "/?tab=map", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/monitoring", None),
        ("/gradio_api/proxy=https://evil.example/", None),
        ("/gradio_api/file=https://evil.example/a.png", None),
        ("/gradio_api/custom_component/a/client/b/c", None),
        ("/gradio_api/runs", None),
        ("/gradio_api/deep_link", None),
        ("/docs", None),
        ("/gradio_api/component_server", "{}"),
        ("/gradio_api/process_recording", "{}"),
        ("/gradio_api/vibe-edit/", "{}"),
        ("/gradio_api/call/numbered_1", "{}"),
        ("/gradio_api/call/publish", "{}"),
        ("/gradio_api/call/v2/pull_run", "{}"),
        ("/gradio_api/call/start_run", "{}"),
    ],
)
def test_what_no_page_needs_is_not_there(url: str, path: str, body: str | None) -> None:
    reply = ask(url, path, body)
    assert (reply.status, "There is nothing at" in reply.text) == (404, True)


def test_what_is_offered_is_there(url: str) -> None:
    for name, parameters in api.parameters().items():
        body = json.dumps({"data": [None] * len(parameters)})
        assert ask(url, f"/gradio_api/call/{name}", body, Content_Type="application/json").status == 200


def test_security_headers(url: str) -> None:
    page = ask(url, "/")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["x-frame-options"] == "SAMEORIGIN"
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["object-src"] == "'none'"
    assert policy["frame-ancestors"] == "'self'"
    assert "http" not in page.headers["content-security-policy"], "nothing from elsewhere"
    cookie = page.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert "set-cookie" not in ask(url, "/", Cookie=cookie.split(";")[0]).headers, "who has one keeps it"
    assert "Secure" not in cookie
    assert "; Secure" in ask(url, "/", X_Forwarded_Proto="https, http").headers["set-cookie"]
    forged = f"{COOKIE}={'0' * 24}.{'0' * 32}"
    assert ask(url, "/", Cookie=forged).headers["set-cookie"].startswith(f"{COOKIE}=")


def test_on_a_space_the_page_is_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/explorer")
    monkeypatch.setenv("SPACE_HOST", "someone-explorer.hf.space")
    with served(host="0.0.0.0") as (url, _):
        page = ask(url, "/", Host="someone-explorer.hf.space", X_Forwarded_Proto="https")
        assert page.status == 200
        assert "frame-ancestors 'self' huggingface.co" in page.headers["content-security-policy"]
        assert "x-frame-options" not in page.headers
        assert "SameSite=None; Secure; Partitioned" in page.headers["set-cookie"]
        assert ask(url, "/", Host="other.hf.space").status == 421


def test_large_bodies_are_cut(url: str) -> None:
    large = ask(url, "/gradio_api/queue/join", None, method="POST", Content_Length="40000000", Content_Type="application/json")
    assert large.status == 413
    assert "larger than 32 MB" in large.text
    large = ask(url, "/gradio_api/call/search", None, method="POST", Content_Length="40000000", Content_Type="application/json")
    assert "larger than 32 MB" in large.text
    headers = {"Content_Length": "40000000", "Content_Type": "application/json", "Referer": f"{url}zh?tab=search"}
    assert "32 MB" in (chinese := ask(url, "/gradio_api/queue/join", None, method="POST", **headers).text)
    assert "larger" not in chinese, "in the language of the page that calls"
    place = urllib.parse.urlsplit(url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=60) as stream:  # of a length it does not tell
        stream.sendall(b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        part = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        try:
            for _ in range(40):
                stream.sendall(part)
            answer = stream.recv(4096)
        except ConnectionError:  # it does not even listen to the rest
            answer = b" 413 "
    assert b" 413 " in answer


def test_a_visitor_is_known_beside_any_other_cookie(open_url: str) -> None:
    cookie = visit(open_url)
    for before in ('g_state={"i_l":0}; ', "a=b=c; ", "broken; ", 'x="; '):
        assert "set-cookie" not in ask(open_url, "/", Cookie=before + cookie).headers, before


def test_one_visitor_cannot_take_it_all(open_url: str) -> None:
    cookie = visit(open_url)
    asked = {"Cookie": cookie, "Content_Type": "application/json"}
    statuses = [ask(open_url, "/gradio_api/cancel", "{}", **asked).status for _ in range(int(limits.CALLS_AT_ONCE) + 60)]
    assert statuses.count(429) >= 10
    # Meanwhile the bucket may have filled again by a call or two.
    answers = (ask(open_url, "/gradio_api/cancel", "{}", **asked) for _ in range(60))
    refused = next(each for each in answers if each.status == 429)
    assert refused.headers["retry-after"] == "10"
    assert "Too many requests from one visitor" in refused.text
    assert ask(open_url, "/gradio_api/cancel", "{}", Cookie=visit(open_url), Content_Type="application/json").status != 429


def test_buckets_fill_again_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = limits.Limiter()
    asked = ("someone", "1.2.3.4", "POST", "/gradio_api/upload")
    taken = sum(limiter.allows(*asked, now=0.0) for _ in range(1000))
    assert taken == limits.UPLOADS_AT_ONCE
    assert not limiter.allows(*asked, now=1.0)
    assert limiter.allows(*asked, now=2.5)
    assert limiter.allows("someone", "1.2.3.4", "POST", "/gradio_api/queue/join", now=2.5), "of another kind"
    monkeypatch.setattr(limits, "MAX_REMEMBERED", 10)
    for number in range(1000):
        limiter.allows(str(number), str(number), "GET", "/", now=3.0)
    assert len(limiter._buckets) <= 30


def test_many_cookies_of_one_address_are_no_way_around(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = limits.Limiter()
    passed = sum(limiter.allows(f"visitor {number}", "1.2.3.4", "POST", "/gradio_api/upload", now=0.0) for number in range(1000))
    assert passed == limits.OF_ONE_ADDRESS * limits.UPLOADS_AT_ONCE
    assert limiter.allows("visitor 0", "5.6.7.8", "POST", "/gradio_api/upload", now=0.0)


def test_who_asks_too_much_takes_nothing_from_others_at_the_address() -> None:
    limiter = limits.Limiter()
    asked = ("1.2.3.4", "POST", "/gradio_api/call/search")
    assert sum(limiter.allows("flooding", *asked, now=0.0) for _ in range(20_000)) == limits.CALLS_AT_ONCE
    assert limiter.allows("learner", *asked, now=0.0)


def test_files_come_compressed_and_stay_with_the_browser(url: str) -> None:
    page = ask(url, "/", Accept_Encoding="identity")
    script = next(part.split('"')[0] for part in page.text.split('src="')[1:] if ".js" in part.split('"')[0])
    path = "/" + script.removeprefix("./").lstrip("/")
    plain, short = ask(url, path), ask(url, path, Accept_Encoding="gzip, br")
    assert short.headers["content-encoding"] == "br"
    assert int(short.headers["content-length"]) < int(plain.headers["content-length"])
    assert "immutable" in plain.headers["cache-control"]
    assert ask(url, path, If_None_Match=plain.headers["etag"]).status == 304
    own = f"/{later_modules()[0]}"
    assert [ask(url, own, Accept_Encoding="br").headers["content-encoding"] for _ in range(3)] == ["br"] * 3
    assert ask(url, own).text == ask(url, own).text != ""
    assert ask(url, own, Host="evil.example").status == 421
    assert ask(url, "/assets/../../../../../../etc/passwd").status in (403, 404)
    assert ask(url, "/gradio_api/file=/etc/passwd").status in (403, 404)
    began = time.monotonic()
    for _ in range(20):
        ask(url, "/")
    assert time.monotonic() - began < 4.0, "the page is made once"


def test_a_sheet_that_was_removed_is_not_served_from_memory(url: str) -> None:
    sheet = cache_dir() / "sprites" / "removed later.webp"
    sheet.parent.mkdir(exist_ok=True)
    sheet.write_bytes(b"images of a visitor")
    address = file_url(sheet)
    assert " " not in address
    assert [ask(url, address).text for _ in range(2)] == ["images of a visitor"] * 2
    sheet.unlink()
    assert ask(url, address).status in (403, 404)


def test_with_a_password_nothing_is_there_before_it() -> None:
    with served(host="0.0.0.0", auth="ann:secret") as (url, app):
        plain = next(each._id for each in app.fns.values() if not each.inputs and not each.collects_event_data)
        event = json.dumps({"data": [], "fn_index": plain, "session_hash": "a"})
        kind = {"Content_Type": "application/json"}
        call = json.dumps({"data": ["emoji-simclr", "dog", 1, "pixels"]})
        for path in ("/config", "/gradio_api/info", "/gradio_api/openapi.json", "/gradio_api/queue/data?session_hash=a"):
            assert ask(url, path).status == 401, path
        for path, body in (
            ("/gradio_api/call/search", call),
            ("/gradio_api/queue/join", event),
            ("/gradio_api/run/predict", event),
        ):
            assert ask(url, path, body, **kind).status == 401, path
        assert ask(url, "/gradio_api/mcp/", "{}", **kind).status in (404, 405)
        assert "emoji-simclr" not in ask(url, "/").text

        form = {"Content_Type": "application/x-www-form-urlencoded"}
        assert ask(url, "/login", "username=ann&password=wrong", **form).status == 400
        entered = ask(url, "/login", "username=ann&password=secret", **form)
        cookie = entered.headers["set-cookie"].split(";")[0]
        assert ask(url, "/config", Cookie=cookie).status == 200
        assert "emoji-simclr" in ask(url, "/", Cookie=cookie).text
        assert "emoji-simclr" not in ask(url, "/").text, "what one got is nobody else's"
        statuses = [ask(url, "/login", "username=ann&password=wrong", **form).status for _ in range(12)]
        assert statuses[-1] == 429, "who tries passwords waits"
