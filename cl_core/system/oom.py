"""Processes that Linux killed because memory ran out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from cl_core.system.host import CGROUP


def oom_counters() -> list[Path]:
    """Files in which Linux counts the processes it killed for lack of memory, this process's own control group first."""
    files = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                files += [CGROUP / path.strip("/") / "memory.events", CGROUP / "memory.events"]
            elif "memory" in controllers.split(","):
                root = CGROUP / "memory"
                files += [root / path.strip("/") / "memory.oom_control", root / "memory.oom_control"]
    return [*files, Path("/proc/vmstat")]  # of the whole machine, where there is no control group


def oom_kills(files: Iterable[Path] | None = None) -> int:
    """Number of processes killed for lack of memory, from the first of `files` that has it; 0 where none does.

    Args:
        files: with a line `oom_kill N`, by default `oom_counters()`.
    """
    for file in oom_counters() if files is None else files:
        with contextlib.suppress(OSError):
            found = re.search(r"^oom_kill (\d+)$", file.read_text(encoding="ascii"), re.MULTILINE)
            if found:
                return int(found[1])
    return 0
