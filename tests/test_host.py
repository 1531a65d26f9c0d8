"""What the machine grants, as Spaces and containers say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cl_core import host


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(host, "CGROUP", tmp_path)
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    return tmp_path


@pytest.mark.parametrize(("granted", "cores"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 16), (None, 16)])
def test_a_container_s_share_of_the_cores(cgroup: Path, granted: str | None, cores: int) -> None:
    if granted:
        (cgroup / "cpu.max").write_text(granted)
    assert host.cores() == cores


def test_a_space_s_share(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CPU_CORES", "2")
    monkeypatch.setenv("MEMORY", "16Gi")
    assert host.cores() == 16, "what it is called elsewhere counts for nothing"
    monkeypatch.setenv("SPACE_ID", "someone/explorer")
    found = host.host()
    assert (found.cores, found.memory_gb, found.space) == (2, 16.0, True)


def test_memory_is_what_the_container_has(cgroup: Path) -> None:
    assert host.memory_gb() > 0.5
    (cgroup / "memory.max").write_text("2000000000\n")
    assert host.memory_gb() == 2.0
    (cgroup / "memory.max").write_text("max\n")
    assert host.memory_gb() > 0.5
