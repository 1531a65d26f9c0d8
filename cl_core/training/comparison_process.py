"""A comparison of methods in a process of its own, as `job_process` trains a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from cl_core.runs.config import RunState
from cl_core.training.comparison_state import checked_config, read_comparison
from cl_core.training.job_process import StopOnClose, run_job
from cl_core.training.method_comparison import MethodComparison


def run_comparison(path: Path, settings: dict[str, Any], device: torch.device, stop: StopOnClose) -> RunState:
    """Compare methods in the folder `path`, or resume the comparison there.

    Raises:
        UserError: a setting is out of range, or a method cannot learn from the images.
    """
    known = read_comparison(path)
    config = known.config if known else checked_config(settings)
    state = MethodComparison(path, config, device, stop).run().state
    return "finished" if state == "finished" else "stopped"


def main() -> int:
    """Compare methods in this process, see `job_process.run_job`."""
    return run_job(run_comparison)


if __name__ == "__main__":
    sys.exit(main())
