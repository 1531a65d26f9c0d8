"""Folders that are written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from cl_core.system.paths import cache_dir


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CL_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def found() -> Path:
    """The folder anew, without the cache of the tests."""
    return cache_dir.__wrapped__()


def test_a_relative_folder_means_the_same_in_every_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CL_CACHE_DIR", "cache")
    assert found() == tmp_path / "cache"


def test_without_a_home_it_is_a_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert found().name.startswith("contrastive-explorer-")


def test_without_a_home_the_given_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError()))
    monkeypatch.setenv("CL_CACHE_DIR", str(tmp_path / "given"))
    assert found() == tmp_path / "given"
