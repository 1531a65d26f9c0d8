"""The cache of compiled functions, damaged or without room: each call gives its result all the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numba
import pytest

from cl_core.system import compiled

SOURCE = "from cl_core.system.compiled import compiled\n\n\n@compiled\ndef double(x):\n    return 2 * x\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "doubles.py").write_text(SOURCE)
    return tmp_path / "doubles.py"


def loaded(file: Path) -> Any:
    """The function as another process finds it."""
    spec = importlib.util.spec_from_file_location("doubles", file)
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found.double


def test_what_is_compiled_is_cached(module: Path) -> None:
    assert loaded(module)(3) == 6
    again = loaded(module)
    assert again(3) == 6 and sum(again.stats.cache_hits.values()) == 1


@pytest.mark.parametrize(("kind", "left"), [("nbi", 0), ("nbi", 30), ("nbc", 0), ("nbc", 100)])
def test_a_cut_file_is_written_again(module: Path, kind: str, left: int) -> None:
    assert loaded(module)(3) == 6
    (file,) = (module.parent / "cache").rglob(f"*.{kind}")
    file.write_bytes(file.read_bytes()[:left])
    assert loaded(module)(3) == 6
    again = loaded(module)
    assert again(3) == 6 and sum(again.stats.cache_hits.values()) == 1, "the damage is gone"


def test_without_room_it_is_compiled_each_time(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    double = loaded(module)
    monkeypatch.setattr(double._cache._cache_file, "save", full)
    assert double(3) == 6


def test_every_compiled_function_here_has_such_a_cache() -> None:
    from cl_core.augment import kernel
    from cl_core.words import kernel as words

    functions = [each for module in (kernel, words) for each in vars(module).values() if hasattr(each, "py_func")]
    assert len(functions) > 5
    assert all(each._cache.load_overload.__module__ == compiled.__name__ for each in functions)
