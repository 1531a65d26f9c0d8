"""Limits of containers and Spaces, and memory settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cl_core.system import host
from tests.conftest import ROOT


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(host, "CGROUP", tmp_path)
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    return tmp_path


@pytest.mark.parametrize(("granted", "cores"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 16), (None, 16)])
def test_cores_of_a_container(cgroup: Path, granted: str | None, cores: int) -> None:
    if granted:
        (cgroup / "cpu.max").write_text(granted)
    assert host.cores() == cores


def test_cores_and_memory_of_a_space(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CPU_CORES", "2")
    monkeypatch.setenv("MEMORY", "16Gi")
    assert host.cores() == 16, "these variables count on a Space only"
    monkeypatch.setenv("SPACE_ID", "someone/explorer")
    found = host.host()
    assert (found.cores, found.memory_gb, found.space) == (2, 16.0, True)


def test_memory_of_a_container(cgroup: Path) -> None:
    assert host.memory_gb() > 0.5
    (cgroup / "memory.max").write_text("2000000000\n")
    assert host.memory_gb() == 2.0
    (cgroup / "memory.max").write_text("max\n")
    assert host.memory_gb() > 0.5


def test_freed_memory_is_returned() -> None:
    """Without it the threads of a server held 290 MB of unused memory after half an hour."""
    program = """
import threading
from pathlib import Path
from cl_core.system.host import limit_malloc_arenas, return_memory
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
def work():
    blocks.append([bytes(1000) for _ in range(20_000)])
limit_malloc_arenas()
for _ in range(2):
    blocks = []
    threads = [threading.Thread(target=work) for _ in range(10)]
    [each.start() for each in threads]
    [each.join() for each in threads]
    pins = [each[-1] for each in blocks]  # a block at the end of a heap pins all before it
    blocks.clear()
    full = resident()
    return_memory()
print(full - resident())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert float(done.stdout) > 100
