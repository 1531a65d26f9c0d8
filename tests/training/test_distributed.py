"""Two processes against one: the same gradients, weights and run folder, by the real torchrun on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from cl_core.runs.folder import RunFolder
from cl_core.training.distributed import SyncBatchNorm, World
from tests.conftest import ROOT
from tests.training.together import STEPS, VARIANTS

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Tensor]]:
    """What one process has after a few steps of every method, and what the first of two has, and the second."""
    folder = tmp_path_factory.mktemp("together")
    script = [str(ROOT / "tests" / "training" / "together.py"), str(folder)]
    for command in ([sys.executable, *script], [*TORCHRUN, *script]):
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return {file.stem: safetensors.torch.load_file(file) for file in folder.iterdir()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_and_weights_are_those_of_one_process(found: dict[str, dict[str, Tensor]], variant: str) -> None:
    alone, first, second = ({n: v for n, v in found[key].items() if n.startswith(f"{variant}/")} for key in ("1-0", "2-0", "2-1"))
    assert alone.keys() == first.keys() == second.keys()
    assert any("/gradient/" in name for name in alone)
    largest = max(float(v.abs().max()) for n, v in alone.items() if "/gradient/" in n)
    parts = "running_" in str(alone.keys()) and variant == "moco"
    for name, expected in alone.items():
        if parts and ("running_" in name or "num_batches" in name):
            continue  # each process knows the statistics of its own parts only
        # Three large steps let rounding grow in the weights.
        limit = 2e-5 * largest if "/gradient/" in name else 1e-4 * max(1.0, float(expected.abs().max()))
        assert float((first[name] - expected).abs().max()) <= limit, name
        assert float((second[name] - expected).abs().max()) <= limit, name


def test_the_gradients_are_not_trivial(found: dict[str, dict[str, Tensor]]) -> None:
    gradients = [v for n, v in found["1-0"].items() if "/gradient/" in n and v.dim() > 1]
    assert len(gradients) > 30
    assert all(float(g.abs().max()) > 0 for g in gradients)
    assert STEPS > 1


def test_alone_it_is_torchs_batch_norm() -> None:
    """Values, gradients and running statistics, in training and in use."""
    torch.manual_seed(0)
    for layer, shape in (
        (nn.BatchNorm1d(5), (7, 5)),
        (nn.BatchNorm2d(5), (7, 5, 3, 2)),
        (nn.BatchNorm1d(5, affine=False), (7, 5)),
    ):
        shared = type(layer)(5, affine=layer.affine)
        shared.__class__ = SyncBatchNorm
        shared.world = World()  # type: ignore[assignment]
        results = []
        for norm in (layer, shared):
            x = torch.linspace(-2, 3, torch.Size(shape).numel()).sin().view(shape).requires_grad_()
            out = norm(x)
            (out * torch.arange(out.numel()).view(shape)).sum().backward()
            results.append([out, x.grad, *(p.grad for p in norm.parameters()), *norm.buffers(), norm.eval()(x)])
        for expected, got in zip(*results, strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-3)


def start(folder: Path, *extra: str) -> subprocess.Popen[str]:
    settings = ["--dataset", "digits", "--encoder", "cnn", "--image-size", "8", "--batch-size", "64", "--snapshots", "2"]
    command = [*TORCHRUN, "-m", "cl_core", "train", "--run-dir", str(folder), *settings, *extra]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_one_folder_stopped_and_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    begun = start(folder, "--epochs", "400")
    record = folder / "metrics.jsonl"
    deadline = time.monotonic() + 90
    while not (record.is_file() and '"loss"' in record.read_text()):
        assert begun.poll() is None, begun.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    begun.send_signal(signal.SIGINT)
    _, errors = begun.communicate(timeout=60)
    kept = RunFolder(folder).read_record()
    assert kept.state == "stopped", errors
    assert 0 < kept.step < kept.total_steps
    steps = [p["step"] for p in RunFolder(folder).read_metrics()]
    assert steps == sorted(steps)
    resumed = start(folder, "--epochs", "400")
    time.sleep(0.1)
    deadline = time.monotonic() + 90
    while RunFolder(folder).read_record().state != "running" or RunFolder(folder).read_metrics()[-1]["step"] <= kept.step:
        assert resumed.poll() is None, resumed.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    resumed.send_signal(signal.SIGINT)
    resumed.communicate(timeout=60)
    assert RunFolder(folder).read_record().step > kept.step


def test_mistakes_are_said_once(tmp_path: Path) -> None:
    done = start(tmp_path / "run", "--batch-size", "63")
    _, errors = done.communicate(timeout=120)
    assert done.returncode != 0
    assert errors.count("error: A batch of 63 images cannot be shared evenly by 2 processes") == 1
    assert not (tmp_path / "run" / "run.json").exists()
