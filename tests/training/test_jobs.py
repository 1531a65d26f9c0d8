"""Training runs beside the page: begun, stopped, cut off and resumed, as if nothing had happened."""

from __future__ import annotations

import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from cl_core.runs.config import RunConfig
from cl_core.runs.events import StepDone
from cl_core.runs.folder import RunFolder
from cl_core.training import job_process as pieces
from cl_core.training import jobs as jobs_module
from cl_core.training import recorder as session
from cl_core.training.jobs import Jobs, oom_counters, oom_kills
from tests.conftest import ROOT, SMALL

LONG = SMALL | {"epochs": 3_000, "encoder": "mlp", "snapshots": 0}
# A step takes 10 to 20 s on one core; it is the first one, so nothing is saved before it.
LONG_STEP = LONG | {"encoder": "resnet18-32px", "image_size": 64, "batch_size": 48, "precision": "float32"}
STOPPED_WITHIN_S = 5.0


def wait_for(path: Path, points: int) -> RunFolder:
    """Until the curves of the run have so many points."""
    folder, deadline = RunFolder(path), time.monotonic() + 120
    while not folder.exists() or len(folder.read_metrics()) < points:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return folder


def training_process(parent: int | None = None) -> int:
    """The process that trains for this program, or for the program `parent`."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        command = ["pgrep", "-P", str(parent or os.getpid()), "-f", "cl_core.training.job_process"]
        if found := subprocess.run(command, capture_output=True, text=True).stdout.split():
            return int(found[0])
        time.sleep(0.05)
    raise AssertionError("no process trains")


def is_alive(process: int) -> bool:
    """Whether it is there and not only waits for its parent to notice its end."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


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
    job = jobs.begin(path, {}, seconds=3600.0)
    assert job is not None
    assert jobs.running == path
    assert jobs.begin(tmp_path / "other", LONG) is None, "one at a time"
    wait_for(path, len(folder.read_metrics()) + 2)
    job._until = time.monotonic()
    job.wait(120)
    second = folder.read_record()
    assert (second.state, job.problem) == ("stopped", ""), "its turn was over"
    assert second.step >= folder.read_metrics()[-1]["step"] > first.step
    assert jobs.running is None

    job = jobs.begin(path, {})
    assert job is not None
    wait_for(path, len(folder.read_metrics()) + 2)
    os.kill(training_process(), signal.SIGKILL)
    job.wait(60)
    outside = "The training was ended from outside (signal 9): press Resume to continue from what was saved."
    assert jobs.problem(path) == outside
    assert jobs.problem(tmp_path / "other") == ""
    assert folder.read_record().step == second.step, "cut off: it goes on from what was saved"


@pytest.mark.parametrize(
    ("settings", "environment", "said"),
    [
        ({"dataset": "digits", "lr": -1}, {}, "lr: input should be greater than 0, but it was -1."),
        (
            SMALL | {"image_size": 256, "batch_size": 1024, "encoder": "resnet18-32px", "snapshots": 0},
            {"SPACE_ID": "someone/explorer", "MEMORY": "3Gi"},
            " GB of memory and this machine offers 2.1 GB: choose a smaller batch_size or image_size, or a smaller encoder.",
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


def test_a_long_step_ends_with_the_program(tmp_path: Path) -> None:
    """By the training process alone: whoever began it is gone."""
    path = tmp_path / "run"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path), json.dumps(LONG_STEP)], env=environment)
    try:
        folder = wait_for(path, 0)
        process = training_process(program.pid)
        time.sleep(1.5)  # it is in its first step by now
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
    ended = time.monotonic()
    while is_alive(process) or folder.is_claimed():
        assert time.monotonic() - ended < STOPPED_WITHIN_S
        time.sleep(0.05)
    record = folder.read_record()
    assert (record.state, record.step) == ("running", 0), "cut off"
    assert session.begin(folder, RunConfig, {}) == (RunConfig.model_validate(LONG_STEP), False), "it can be started again"


def test_a_process_that_does_not_stop_is_ended(tmp_path: Path) -> None:
    jobs = Jobs()
    job = jobs.begin(tmp_path / "run", LONG)
    assert job is not None
    process = training_process()
    os.kill(process, signal.SIGSTOP)
    asked = time.monotonic()
    jobs.stop()
    assert jobs.stopping
    job.wait(2 * STOPPED_WITHIN_S)
    took, running = time.monotonic() - asked, job.running
    if running:
        os.kill(process, signal.SIGKILL)
    assert not running
    assert took < STOPPED_WITHIN_S
    assert (job.problem, jobs.running) == ("", None), "another one may begin"


class Stdin(io.StringIO):
    """Ends when `over` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def read(self, size: int | None = -1, /) -> str:
        self.over.wait()
        return ""


def test_a_save_is_not_cut_off(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(pieces, "STEP_PATIENCE_S", 0.2)
    monkeypatch.setattr(pieces, "SAVE_PATIENCE_S", 1.0)
    stdin, codes = Stdin(), queue.Queue[int]()
    stop = pieces.StopRequest(stdin, codes.put)
    assert not stop()
    with stop.saving():
        stdin.over.set()
        time.sleep(0.5)
        assert codes.empty(), "it saves"
    assert codes.get(timeout=5) == pieces.EXIT_CUT_OFF, "it was asked to stop, and does not end its step"

    stdin = Stdin()
    stop = pieces.StopRequest(stdin, codes.put)
    stdin.over.set()
    while not stop():
        time.sleep(0.01)
    with stop.saving():
        time.sleep(0.5)
    assert codes.empty(), "its step has ended, and it saves"
    assert codes.get(timeout=5) == pieces.EXIT_CUT_OFF, "but not for ever"
    assert capfd.readouterr().out.split() == [pieces.SAVING, pieces.STEPPING, pieces.SAVING, pieces.SAVING]


def test_after_a_slow_step_it_is_saved(tmp_path: Path) -> None:
    """So that to cut off the next one loses only that."""
    begun = session.start(tmp_path / "run", LONG, torch.device("cpu"))
    assert begun is not None
    steps = (event.step for event in begun.events(slow_step_s=0.0) if isinstance(event, StepDone))
    for step in (1, 2):
        assert next(steps) == step
        assert begun.folder.read_record().step == step
        assert begun.folder.resume_file.is_file()


@pytest.mark.parametrize(
    ("number", "more_oom_kills", "said"),
    [
        (signal.SIGKILL, 0, "The training was ended from outside (signal 9): start it again."),
        (signal.SIGTERM, 1, "The training was ended from outside (signal 15): start it again."),
        (signal.SIGKILL, 1, pieces.NO_MEMORY),
        (signal.SIGSEGV, 0, "The training broke off (signal 11): the server's log says why."),
    ],
    ids=["kill", "terminate", "out of memory", "crash"],
)
def test_why_it_ended_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, more_oom_kills: int, said: str
) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n", encoding="ascii")
    monkeypatch.setattr(jobs_module, "oom_counters", lambda: [events])
    jobs = Jobs()
    job = jobs.begin(tmp_path / "run", LONG)
    assert job is not None
    process = training_process()
    events.write_text(f"oom 4\noom_kill {2 + more_oom_kills}\n", encoding="ascii")
    os.kill(process, number)
    job.wait(60)
    assert jobs.problem(tmp_path / "run") == said


def test_oom_kills_are_counted(tmp_path: Path) -> None:
    missing, other, first, second = (tmp_path / name for name in ("missing", "other", "first", "second"))
    other.write_text("oom 3\ngroup_oom_kill 5\n", encoding="ascii")
    first.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 12\n", encoding="ascii")  # as cgroup v1 writes it
    second.write_text("oom_kill 99\n", encoding="ascii")
    assert oom_kills([missing, other, first, second]) == 12
    assert oom_kills([missing, other]) == 0
    assert oom_counters()[-1] == Path("/proc/vmstat")
    assert oom_kills() >= 0


BEYOND = """
import torch
from cl_core.training import job_process as pieces
pieces._limit_memory()
print(pieces.attempt(lambda: torch.ones(10**9)))
"""


def test_memory_is_limited() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SPACE_ID": "someone/explorer", "MEMORY": "3Gi"}
    done = subprocess.run([sys.executable, "-c", BEYOND], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == str((None, pieces.NO_MEMORY)), done.stderr
