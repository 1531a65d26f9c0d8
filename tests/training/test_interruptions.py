"""Ctrl-C, SIGKILL and a full disk, with the real command."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch

from benchmarks.interruptions import check_method
from cl_core.networks.methods import TRAINABLE
from cl_core.runs.folder import RunFolder
from tests.conftest import ROOT
from tests.program import Program

pytestmark = pytest.mark.slow

TRAIN = ["train", "--dataset", "digits", "--image-size", "16", "--batch-size", "128"]
TRAIN += ["--encoder", "cnn", "--epochs", "2", "--snapshots", "3", "--augment.flip-prob", "0", "--save-every", "0", "--run"]
STEPS = 22


def start(folder: Path) -> Program:
    return Program([*TRAIN, str(folder)], folder.with_name(f"{folder.name}-printed"))


def wait_for_step(folder: Path, step: int) -> None:
    run = RunFolder(folder)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if len([p for p in run.read_metrics() if p["kind"] == "loss"]) >= step:
            return
        time.sleep(0.02)
    raise AssertionError(f"no step {step} in 120 s")


def exact_state(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(RunFolder(folder).resume_file)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    process = start(folder)
    assert process.wait(timeout=300) == 0
    return folder


def check_equal(folder: Path, uninterrupted: Path) -> None:
    one, other = exact_state(folder), exact_state(uninterrupted)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    mine, theirs = RunFolder(folder), RunFolder(uninterrupted)

    def curve(run: RunFolder) -> list[tuple[int, float]]:
        return [(p["step"], p["loss"]) for p in run.read_metrics() if p["kind"] == "loss"]

    assert curve(mine) == curve(theirs)
    assert len(curve(mine)) == STEPS
    a, b = mine.read_snapshots(), theirs.read_snapshots()
    assert a is not None
    assert b is not None
    assert a.steps == b.steps
    assert torch.equal(a.embeddings, b.embeddings)
    assert mine.read_record().metrics == theirs.read_record().metrics


@pytest.mark.parametrize("method", TRAINABLE)
def test_every_method_resumes_after_a_kill(tmp_path: Path, method: str) -> None:
    """At a random time; `benchmarks/interruptions.py` does it twenty times."""
    report = check_method(method, kills=1, root=tmp_path, seed=1, image_size=8)
    assert (report["kills"], report["equal"]) == (1, 1), report


@pytest.mark.parametrize("step", [1, 9])
def test_resume_after_sigkill(tmp_path: Path, uninterrupted: Path, step: int) -> None:
    folder = tmp_path / "run"
    process = start(folder)
    wait_for_step(folder, step)
    process.kill()
    process.wait()
    assert RunFolder(folder).read_record().state == "running"
    assert start(folder).wait(timeout=300) == 0
    check_equal(folder, uninterrupted)


def test_ctrl_c_saves_and_resumes(tmp_path: Path, uninterrupted: Path) -> None:
    folder = tmp_path / "run"
    process = start(folder)
    wait_for_step(folder, 4)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command resumes from there" in errors
    assert "Traceback" not in errors
    record = RunFolder(folder).read_record()
    assert record.state == "stopped"
    assert record.step >= 4
    assert start(folder).wait(timeout=300) == 0
    check_equal(folder, uninterrupted)


def test_full_disk(tmp_path: Path) -> None:
    """A limit on the size of a file, which fails at the write, as a full disk does."""
    folder = tmp_path / "run"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.run(
        [sys.executable, "-m", "cl_core", *TRAIN, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=limit,
    )
    assert process.returncode == 2
    assert "could not be written" in process.stderr
    assert "free some space" in process.stderr
    assert "Traceback" not in process.stderr
    left = {file.name for file in folder.iterdir()}
    assert not any(name.endswith(".tmp") for name in left)
    assert start(folder).wait(timeout=300) == 0
    assert RunFolder(folder).read_record().state == "finished"
