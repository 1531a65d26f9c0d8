"""Processes killed for lack of memory are counted."""

from __future__ import annotations

from pathlib import Path

from cl_core.system.oom import oom_counters, oom_kills


def test_oom_kills_are_counted(tmp_path: Path) -> None:
    missing, other, first, second = (tmp_path / name for name in ("missing", "other", "first", "second"))
    other.write_text("oom 3\ngroup_oom_kill 5\n", encoding="ascii")
    first.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 12\n", encoding="ascii")  # as cgroup v1 writes it
    second.write_text("oom_kill 99\n", encoding="ascii")
    assert oom_kills([missing, other, first, second]) == 12
    assert oom_kills([missing, other]) == 0
    assert oom_counters()[-1] == Path("/proc/vmstat")
    assert oom_kills() >= 0
