"""A comparison of methods in a process of its own, as `job_process` trains a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cl_core.errors import EXIT_USER_ERROR, error_to_json
from cl_core.runs.config import RunState
from cl_core.system.device import choose_device
from cl_core.system.pipes import report
from cl_core.training.contest import Contest
from cl_core.training.job_process import StopRequest, attempt, limit_memory
from cl_core.training.tournament import checked_config, read_tournament


def compete(path: Path, settings: dict[str, object], stop: StopRequest) -> RunState:
    """Compare methods in the folder `path`, or resume the comparison there.

    Raises:
        UserError: a setting is out of range, or a method cannot learn from the images.
    """
    known = read_tournament(path)
    config = known.config if known else checked_config(settings)
    state = Contest(path, config, choose_device(), stop).run().state
    return "finished" if state == "finished" else "stopped"


def main() -> int:
    """The first line of standard input is `{"path": ..., "settings": {...}}`, its end asks to stop; see `job_process.main`."""
    job = json.loads(sys.stdin.readline())
    stop = StopRequest(sys.stdin)
    if choose_device().type == "cpu":
        limit_memory()
    _, problem = attempt(lambda: compete(Path(job["path"]), job["settings"], stop))
    if problem is None:
        return 0
    report(json.dumps(error_to_json(problem), default=str))
    return EXIT_USER_ERROR


if __name__ == "__main__":
    sys.exit(main())
