"""Paths of bundled files (read only) and of writable folders."""

from __future__ import annotations

import contextlib
import os
import tempfile
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
_IN_WHEEL = PACKAGE / "_shipped"  # a wheel carries data and checkpoints inside the package
ROOT = _IN_WHEEL if _IN_WHEEL.is_dir() else PACKAGE.parent
ASSETS = ROOT / "assets"
CHECKPOINTS = ROOT / "checkpoints"
RUNS = Path("runs")


@cache
def cache_dir() -> Path:
    """Writable folder for cached results.

    `CL_CACHE_DIR`, else the user's cache folder, else (in a container without a home) a temporary folder.
    """
    configured = os.environ.get("CL_CACHE_DIR")
    candidates = [Path(configured)] if configured else []
    with contextlib.suppress(RuntimeError):  # there is no home folder
        candidates.append(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contrastive-explorer")
    for folder in (each.absolute() for each in candidates):  # worker processes have another working directory
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix="contrastive-explorer-"))


def trained_dir() -> Path:
    """Folder of the runs trained in the app: `CL_RUNS_DIR`, else `runs/` in the working directory, or in the cache on a Space."""
    configured = os.environ.get("CL_RUNS_DIR")
    if configured:
        return Path(configured)
    from cl_core.system.host import on_space  # imports torch

    return cache_dir() / "runs" if on_space() else RUNS


def encoder_runs_dir() -> Path:
    """Folder of public encoders, each stored as a run."""
    return cache_dir() / "encoders"
