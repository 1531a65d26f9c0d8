"""Trainings beside the page: begun, stopped, cut off, gone on with, as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cl_core.training.jobs import Jobs
from cl_core.training.run_folder import RunFolder
from tests.conftest import ROOT, SMALL

LONG = SMALL | {"epochs": 10_000, "encoder": "mlp", "snapshots": 0}


def wait_for(path: Path, points: int) -> RunFolder:
    """Until the curves of the run have so many points."""
    folder, deadline = RunFolder(path), time.monotonic() + 120
    while not folder.exists() or len(folder.read_metrics()) < points:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return folder


PROGRAM = """
import json, sys, time
from pathlib import Path
from cl_core.training.jobs import Jobs
Jobs().begin(Path(sys.argv[1]), json.loads(sys.argv[2]))
time.sleep(300)
"""


def test_whatever_ends_it_it_can_go_on(tmp_path: Path) -> None:
    path = tmp_path / "run"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path), json.dumps(LONG)], env=environment)
    try:
        folder = wait_for(path, 3)
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
    deadline = time.monotonic() + 60
    while folder.read_record().state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    first = folder.read_record()
    assert first.state == "stopped", "the program that began it is gone: it saves and ends"
    assert first.step >= folder.read_metrics()[-1]["step"] > 0

    jobs = Jobs()
    job = jobs.begin(path, {}, seconds=0.0)
    assert job is not None
    assert jobs.running == path
    assert jobs.begin(tmp_path / "other", LONG) is None, "one at a time"
    job.wait(120)
    second = folder.read_record()
    assert (second.state, second.step, job.problem) == ("stopped", first.step + 1, ""), "its turn was over"
    assert jobs.running is None

    job = jobs.begin(path, {})
    assert job is not None
    wait_for(path, len(folder.read_metrics()) + 2)
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "cl_core.training.pieces"], capture_output=True, text=True)
    os.kill(int(found.stdout.split()[0]), signal.SIGKILL)  # as the machine does when memory runs out
    job.wait(60)
    assert "more memory than there is" in jobs.problem(path)
    assert jobs.problem(tmp_path / "other") == ""
    assert folder.read_record().step == second.step, "cut off: it goes on from what was saved"


@pytest.mark.parametrize(
    ("settings", "environment", "said"),
    [
        ({"dataset": "digits", "lr": -1}, {}, "lr: input should be greater than 0, but it was -1."),
        (
            SMALL | {"image_size": 256, "batch_size": 1024, "encoder": "resnet18-32px", "snapshots": 0},
            {"SPACE_ID": "someone/explorer", "MEMORY": "3Gi"},
            "This training needs more memory than there is: choose a smaller batch, picture or encoder.",
        ),
    ],
    ids=["setting", "memory"],
)
def test_what_goes_wrong_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], environment: dict[str, str], said: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    jobs = Jobs()
    job = jobs.begin(tmp_path / "run", settings)
    assert job is not None
    job.wait(120)
    assert said in jobs.problem(tmp_path / "run")
    assert "Traceback" not in job.problem
    assert jobs.problem(tmp_path / "other") == ""
