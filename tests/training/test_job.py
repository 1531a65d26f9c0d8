"""Training jobs beside the page: started, stopped, aborted, killed and resumed."""

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

from cl_core.errors import UserError, error_from_json, error_to_json
from cl_core.runs.config import RunConfig
from cl_core.runs.events import StepDone
from cl_core.system import oom
from cl_core.text import using_language
from cl_core.training import job_process, recorder
from cl_core.training.job import LOG_END, end_of_log
from cl_core.training.jobs import Jobs
from tests.conftest import ROOT, SMALL
from tests.training.processes import LONG, LONG_STEP, training_process, wait_for

pytestmark = pytest.mark.slow

STOPPED_WITHIN_S = 5.0


def is_alive(process: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


PROGRAM = """
import json, sys, time
from pathlib import Path
from cl_core.training.jobs import Jobs
Jobs().start(Path(sys.argv[1]), json.loads(sys.argv[2]))
time.sleep(300)
"""


def test_a_job_resumes_however_it_ended(tmp_path: Path) -> None:
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
    assert first.state == "stopped", "without the program that started it, it saves and ends"
    assert first.step >= folder.read_metrics()[-1]["step"] > 0

    jobs = Jobs()
    job = jobs.start(path, {}, seconds=3600.0)
    assert job is not None
    assert jobs.running == path
    assert jobs.start(tmp_path / "other", LONG) is None, "one at a time"
    assert jobs.place(path) == 0
    wait_for(path, len(folder.read_metrics()) + 2)
    job._until = time.monotonic()
    job.wait(120)
    second = folder.read_record()
    assert (second.state, job.problem) == ("stopped", ""), "its time was over"
    assert second.step >= folder.read_metrics()[-1]["step"] > first.step
    assert jobs.running is None

    job = jobs.start(path, {})
    assert job is not None
    wait_for(path, len(folder.read_metrics()) + 2)
    os.kill(training_process(), signal.SIGKILL)
    job.wait(60)
    killed = "The training process was killed (signal 9): press Resume to continue from what was saved."
    assert jobs.problem(path) == killed
    with using_language("zh"):
        assert jobs.problem(path) == "训练进程被终止（信号 9）：请按“继续”从已保存的状态恢复。"
    assert jobs.problem(tmp_path / "other") == ""
    assert second.step <= folder.read_record().step, "it resumes from the last save"


def test_a_crash_leaves_a_log(tmp_path: Path) -> None:
    """With the line of Python that was running."""
    jobs = Jobs()
    job = jobs.start(tmp_path / "run", LONG)
    assert job is not None
    wait_for(tmp_path / "run", 1)
    os.kill(training_process(), signal.SIGSEGV)
    began = time.monotonic()
    job.wait(30)
    assert time.monotonic() - began < STOPPED_WITHIN_S
    assert "signal 11" in job.problem
    log = end_of_log(tmp_path / "run")
    assert "Fatal Python error: Segmentation fault" in log and "job_process.py" in log
    assert len(log) <= LOG_END
    assert end_of_log(tmp_path / "none") == ""


@pytest.mark.parametrize(
    ("settings", "environment", "message", "chinese"),
    [
        (
            {"dataset": "digits", "lr": -1},
            {},
            "lr: input should be greater than 0, but it was -1.",
            "lr：应大于 0，但给的是 -1。",
        ),
        (
            SMALL | {"image_size": 256, "batch_size": 1024, "encoder": "resnet18-32px", "snapshots": 0},
            {"SPACE_ID": "someone/explorer", "MEMORY": "3Gi"},
            " GB of memory and this machine offers 2.1 GB: choose a smaller batch_size or image_size, or a smaller encoder.",
            " GB 内存，而这台机器只能提供 2.1 GB：请选择更小的 batch_size 或 image_size，或更小的编码器。",
        ),
    ],
    ids=["setting", "memory"],
)
def test_errors_of_the_process_are_reported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, object],
    environment: dict[str, str],
    message: str,
    chinese: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    jobs = Jobs()
    job = jobs.start(tmp_path / "run", settings)
    assert job is not None
    job.wait(120)
    assert message in jobs.problem(tmp_path / "run")
    with using_language("zh"):
        assert chinese in jobs.problem(tmp_path / "run")
    assert "Traceback" not in job.problem
    assert jobs.problem(tmp_path / "other") == ""


def test_a_long_step_is_aborted_with_the_program(tmp_path: Path) -> None:
    """The training process aborts it, without the program that started it."""
    path = tmp_path / "run"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path), json.dumps(LONG_STEP)], env=environment)
    try:
        folder = wait_for(path, 0)
        process = training_process(program.pid)
        time.sleep(1.5)  # now in its first step
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
    ended = time.monotonic()
    while is_alive(process) or folder.is_claimed():
        assert time.monotonic() - ended < STOPPED_WITHIN_S
        time.sleep(0.05)
    record = folder.read_record()
    assert (record.state, record.step) == ("running", 0), "aborted"
    assert recorder.resolve_settings(folder, RunConfig, {}) == (RunConfig.model_validate(LONG_STEP), False), (
        "it can be started again"
    )


def test_a_process_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    jobs = Jobs()
    job = jobs.start(tmp_path / "run", LONG)
    assert job is not None
    process = training_process()
    os.kill(process, signal.SIGSTOP)
    requested = time.monotonic()
    jobs.stop()
    assert jobs.stopping
    job.wait(2 * STOPPED_WITHIN_S)
    took, running = time.monotonic() - requested, job.running
    if running:
        os.kill(process, signal.SIGKILL)
    assert not running
    assert took < STOPPED_WITHIN_S
    assert (job.problem, jobs.running) == ("", None), "another job may start"


class Stdin(io.StringIO):
    """A stream that ends when `over` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def read(self, size: int | None = -1, /) -> str:
        self.over.wait()
        return ""


def test_a_save_is_not_aborted(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(job_process, "STEP_GRACE_S", 0.2)
    monkeypatch.setattr(job_process, "SAVE_GRACE_S", 1.0)
    stdin, codes = Stdin(), queue.Queue[int]()
    stop = job_process.StopOnClose(stdin, codes.put)
    assert not stop()
    with stop.saving():
        stdin.over.set()
        time.sleep(0.5)
        assert codes.empty(), "saving"
    assert codes.get(timeout=5) == job_process.EXIT_ABORTED, "asked to stop, and the step does not end"

    stdin = Stdin()
    stop = job_process.StopOnClose(stdin, codes.put)
    stdin.over.set()
    while not stop():
        time.sleep(0.01)
    with stop.saving():
        time.sleep(0.5)
    assert codes.empty(), "saving after the step"
    assert codes.get(timeout=5) == job_process.EXIT_ABORTED, "not forever"
    assert capfd.readouterr().out.split() == [job_process.SAVING, job_process.STEPPING, job_process.SAVING, job_process.SAVING]


def test_a_slow_step_is_followed_by_a_save(tmp_path: Path) -> None:
    """So that aborting the next one loses only that."""
    recording = recorder.start(tmp_path / "run", LONG, torch.device("cpu"))
    assert recording is not None
    steps = (event.step for event in recording.events(slow_step_s=0.0) if isinstance(event, StepDone))
    for step in (1, 2):
        assert next(steps) == step
        assert recording.folder.read_record().step == step
        assert recording.folder.resume_file.is_file()


@pytest.mark.parametrize(
    ("number", "more_oom_kills", "message"),
    [
        (signal.SIGKILL, 0, "The training process was killed (signal 9): start it again."),
        (signal.SIGTERM, 1, "The training process was killed (signal 15): start it again."),
        (signal.SIGKILL, 1, str(UserError("training.no_memory"))),
        (signal.SIGSEGV, 0, "The training process crashed (signal 11): log.txt in the folder of the run has the reason."),
    ],
    ids=["kill", "terminate", "out of memory", "crash"],
)
def test_the_reason_of_the_end_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, more_oom_kills: int, message: str
) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n", encoding="ascii")
    monkeypatch.setattr(oom, "oom_counters", lambda: [events])
    jobs = Jobs()
    job = jobs.start(tmp_path / "run", LONG)
    assert job is not None
    process = training_process()
    events.write_text(f"oom 4\noom_kill {2 + more_oom_kills}\n", encoding="ascii")
    os.kill(process, number)
    job.wait(60)
    assert jobs.problem(tmp_path / "run") == message


def test_errors_cross_the_pipe_as_json() -> None:
    error = UserError("training.too_much_memory", needed="9 GB", offered="2 GB", advice=UserError("training.advice.batch"))
    received = error_from_json(json.loads(json.dumps(error_to_json(error))))
    assert str(received) == str(error)
    with using_language("zh"):
        assert str(received) == str(error)
        assert "更小的 batch_size" in str(received)


BEYOND = """
import torch
from cl_core.system import oom
from cl_core.training import job_process
from cl_core.training.estimate import limit_memory
limit_memory()
state, problem = job_process.attempt(lambda: torch.ones(10**9))
print(state, problem.key)
"""


def test_memory_is_limited() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SPACE_ID": "someone/explorer", "MEMORY": "3Gi"}
    done = subprocess.run([sys.executable, "-c", BEYOND], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "None training.no_memory", done.stderr
