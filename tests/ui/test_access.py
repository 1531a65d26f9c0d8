"""Who may do what: options, names, cookies, owners."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from cl_core.errors import EXIT_USER_ERROR, UserError
from cl_core.runs.folder import OWNER
from cl_core.ui.access import COOKIE, Access, Options, is_loopback, secret_key
from cl_core.ui.launch import add_options, serve

KEY = bytes(32)


def request(cookie: str = "", username: str | None = None) -> SimpleNamespace:
    """What an event's handler gets of the request that fired it."""
    return SimpleNamespace(request=SimpleNamespace(cookies={COOKIE: cookie}), username=username)


def test_options_as_they_are_given() -> None:
    given = Options(auth="ann:secret,bob:pass:word", hosts="Lab.Example., proxy", read_only="1", shared="0")
    assert given.auth == (("ann", "secret"), ("bob", "pass:word"))
    assert given.hosts == ("lab.example", "proxy")
    assert (given.read_only, given.shared) == (True, False)
    assert (given.local, Options().local) == (False, True), "others come through a proxy"
    assert Options(auth=["ann:secret"]).auth == (("ann", "secret"),)
    assert Options(auth="").auth == ()
    with pytest.raises(ValidationError, match="NAME:PASSWORD"):
        Options(auth="ann")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.3.2.1", "::1", "[::1]"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "localhost.evil.example", ""])
def test_beyond_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("options", "strangers", "hub", "training"),
    [
        ({}, False, True, True),
        ({"host": "0.0.0.0"}, True, False, True),
        ({"host": "0.0.0.0", "shared": True}, False, True, True),
        ({"host": "0.0.0.0", "auth": "ann:x"}, True, False, True),
        ({"hosts": "proxy.example"}, True, False, True),
        ({"read_only": True}, False, False, False),
        ({"host": "0.0.0.0", "shared": True, "read_only": True}, False, False, False),
    ],
)
def test_what_is_on(options: dict[str, object], strangers: bool, hub: bool, training: bool) -> None:
    access = Access(Options.model_validate(options), KEY)
    assert (access.strangers, access.hub, access.training) == (strangers, hub, training)


def test_a_space_is_open_to_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/explorer")
    assert Access(Options(), KEY).strangers
    assert Access(Options(shared=True), KEY).hub


def test_a_cookie_is_its_visitors() -> None:
    access = Access(Options(), KEY)
    cookies = {access.new_cookie() for _ in range(100)}
    assert len({access.visitor_of(cookie) for cookie in cookies}) == 100
    cookie = cookies.pop()
    visitor, _, signature = cookie.partition(".")
    assert access.visitor(request(cookie)) == visitor
    assert access.visitor(request(cookie, "ann")) == "user ann", "who logs in is the same in every browser"
    for forged in ("", visitor, f"{visitor}.", f".{signature}", f"{visitor}x.{signature}", f"{visitor}.{signature[:-1]}ü", "ü.ü"):
        assert access.visitor_of(forged) is None
        with pytest.raises(UserError, match="Only a page of this app"):
            access.visitor(request(forged))
    with pytest.raises(UserError, match="Only a page of this app"):
        access.visitor(None)
    assert Access(Options(), bytes(31) + b"1").visitor_of(cookie) is None, "of another machine"


def test_the_key_outlives_a_restart_and_is_this_users(own_cache: Path) -> None:
    key = secret_key()
    assert (len(key), secret_key()) == (32, key)
    assert (own_cache / "visitors.key").stat().st_mode & 0o777 == 0o600
    (own_cache / "visitors.key").write_bytes(b"short")
    assert len(secret_key()) == 32


def test_runs_belong_to_who_started_them(tmp_path: Path) -> None:
    own, other, strangers = "1" * 24, "2" * 24, Access(Options(host="0.0.0.0"), KEY)
    cookies = {who: f"{who}.{strangers._sign(who)}" for who in (own, other)}
    (tmp_path / OWNER).write_text(own)
    assert strangers.owns(tmp_path, request(cookies[own]))
    assert not strangers.owns(tmp_path, request(cookies[other]))
    assert not strangers.owns(tmp_path / "older", request(cookies[own])), "of the command line"
    for options in (Options(), Options(host="0.0.0.0", shared=True)):
        assert Access(options, KEY).owns(tmp_path, request(cookies[other]))
        assert not Access(options, KEY).owns(tmp_path, request("")), "from no page"


def test_what_is_refused_says_why() -> None:
    cookie = Access(Options(), KEY).new_cookie()
    with pytest.raises(UserError, match="--shared"):
        Access(Options(host="0.0.0.0"), KEY).check("hub", request(cookie))
    with pytest.raises(UserError, match="read-only"):
        Access(Options(read_only=True), KEY).check("train", request(cookie))
    assert Access(Options(host="0.0.0.0"), KEY).check("train", request(cookie))


def test_an_address_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert serve(parser.parse_args(["--host", "a" * 300])) == EXIT_USER_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: There is no address 'aaa") and len(line) < 250
