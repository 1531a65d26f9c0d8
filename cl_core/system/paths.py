"""Where things are: what is shipped (read only) and what may be written."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ASSETS = ROOT / "assets"
CHECKPOINTS = ROOT / "checkpoints"
RUNS = Path("runs")


@cache
def cache_dir() -> Path:
    """A writable folder for what can be computed again.

    `CL_CACHE_DIR`, else the user's cache folder, else (a container without a home) a folder below
    the temporary directory.
    """
    asked = os.environ.get("CL_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    candidates = [Path(asked)] if asked else []
    for folder in [*candidates, home / "contrastive-explorer"]:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix="contrastive-explorer-"))


def trained_dir() -> Path:
    """Where the page keeps the runs it trains: `CL_RUNS_DIR`, else `runs/` where the app is started, on a Space the cache."""
    asked = os.environ.get("CL_RUNS_DIR")
    if asked:
        return Path(asked)
    from cl_core.system.host import on_space  # loads torch

    return cache_dir() / "runs" if on_space() else RUNS


def encoder_runs_dir() -> Path:
    """Where public encoders are kept, wrapped as runs."""
    return cache_dir() / "encoders"
