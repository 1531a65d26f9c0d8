"""Hardware of the machine, and memory settings of the process."""

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

M_ARENA_MAX = -8  # from malloc.h of glibc
CGROUP = Path("/sys/fs/cgroup")


@dataclasses.dataclass(frozen=True)
class Host:
    """Hardware available to this process.

    Attributes:
        cores: number of processor cores, at least 1.
        memory_gb: memory in 10^9 bytes; 0 if unknown.
        gpu: name of the GPU; empty without one.
        zero_gpu: whether the GPU is a ZeroGPU, attached to single calls.
        space: whether this is a Space of the Hugging Face Hub: public, and its disk is cleared on restart.
    """

    cores: int
    memory_gb: float
    gpu: str
    zero_gpu: bool
    space: bool


def on_space() -> bool:
    """Whether the process runs on a Space of the Hugging Face Hub."""
    return "SPACE_ID" in os.environ


def cores() -> int:
    """Processor cores available to this process, within the limits of a Space or container."""
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
    """Memory available to this process in 10^9 bytes, within the limits of a Space or container; 0 if unknown."""
    granted = re.fullmatch(r"(\d+(?:\.\d+)?)Gi?B?", os.environ.get("MEMORY", "")) if on_space() else None
    if granted:
        return float(granted[1])  # Spaces write Gi for the GB of their hardware
    limits = []
    with contextlib.suppress(OSError, ValueError, AttributeError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(OSError, ValueError):
        limits.append(int((CGROUP / "memory.max").read_text(encoding="ascii")))
    return min(limits, default=0) / 1e9


def _c_library() -> Any:
    """The C library if it is glibc, which has `mallopt` and `malloc_trim`; None otherwise."""
    with contextlib.suppress(OSError):
        library = ctypes.CDLL(None)
        if hasattr(library, "malloc_trim") and hasattr(library, "mallopt"):
            return library
    return None


def limit_malloc_arenas() -> None:
    """Limit malloc to two arenas. By default each thread gets one, and memory freed in one arena is not reused by others."""
    if library := _c_library():
        library.mallopt(M_ARENA_MAX, 2)


def return_memory() -> None:
    """Return freed memory to the operating system; takes some milliseconds."""
    if library := _c_library():
        library.malloc_trim(0)


def host() -> Host:
    """Current hardware."""
    if zero_gpu.ON_ZERO_GPU:
        gpu = "ZeroGPU"
    elif torch.cuda.is_available():
        gpu = torch.cuda.get_device_name(0)
    else:
        gpu = "Apple GPU" if torch.backends.mps.is_available() else ""
    return Host(cores(), memory_gb(), gpu, zero_gpu.ON_ZERO_GPU, on_space())
