"""What this runs on, and what that means for a visitor."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import torch

from cl_core.system import zero_gpu

M_ARENA_MAX = -8  # of glibc's malloc.h
CGROUP = Path("/sys/fs/cgroup")


@dataclasses.dataclass(frozen=True)
class Host:
    """cores: that may be used, at least 1; memory_gb: 0 where it is not known; gpu: its name, empty where there is none.

    lent: whether the GPU is there for single calls only. space: whether this is a Space of the Hugging Face Hub, where
    visitors are strangers and the disk is emptied at a restart.
    """

    cores: int
    memory_gb: float
    gpu: str
    lent: bool
    space: bool


def on_space() -> bool:
    """Whether this is a Space."""
    return "SPACE_ID" in os.environ


def cores() -> int:
    """Processor cores this process may use: what a Space or container grants, not what the machine has."""
    granted = os.environ.get("CPU_CORES", "") if on_space() else ""
    if granted.isdigit() and int(granted) > 0:
        return int(granted)
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (CGROUP / "cpu.max").read_text(encoding="ascii").split()
        return max(1, min(here, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or no limit ("max")
        return here


def memory_gb() -> float:
    """Memory this process may use, in 10^9 bytes; 0 where that is not known."""
    granted = re.fullmatch(r"(\d+(?:\.\d+)?)Gi?B?", os.environ.get("MEMORY", "")) if on_space() else None
    if granted:
        return float(granted[1])
    found = []
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(OSError, ValueError):
        found.append(int((CGROUP / "memory.max").read_text(encoding="ascii")))
    return min(found, default=0) / 1e9


def _c_library() -> Any:
    """glibc's, which can be told how to hold memory; None elsewhere."""
    with contextlib.suppress(OSError):
        library = ctypes.CDLL(None)
        if hasattr(library, "malloc_trim") and hasattr(library, "mallopt"):
            return library
    return None


def keep_memory_together() -> None:
    """Let threads share two heaps. By default each of forty gets its own, and what one has freed the others cannot use."""
    if library := _c_library():
        library.mallopt(M_ARENA_MAX, 2)


def return_memory() -> None:
    """Give what was freed back to the system; takes some milliseconds."""
    if library := _c_library():
        library.malloc_trim(0)


def host() -> Host:
    """What there is now."""
    if zero_gpu.ON_ZERO_GPU:
        gpu = "ZeroGPU"
    elif torch.cuda.is_available():
        gpu = torch.cuda.get_device_name(0)
    else:
        gpu = "Apple GPU" if torch.backends.mps.is_available() else ""
    return Host(cores(), memory_gb(), gpu, zero_gpu.ON_ZERO_GPU, on_space())
