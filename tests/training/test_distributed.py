"""Two processes give the gradients, weights and run folder of one, with the real torchrun on loopback."""

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
from timm.layers import BatchNormAct2d
from timm.layers.norm_act import SyncBatchNormAct
from torch import Tensor, nn

from cl_core.runs.folder import RunFolder
from cl_core.training.distributed import CPUSyncBatchNorm, World, sync_batch_norm
from tests.conftest import ROOT
from tests.training.train_steps import STEPS, VARIANTS

pytestmark = pytest.mark.slow

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Tensor]]:
    """Gradients and weights of one process after a few steps of every method, and of each of two processes."""
    folder = tmp_path_factory.mktemp("steps")
    script = [str(ROOT / "tests" / "training" / "train_steps.py"), str(folder)]
    for command in ([sys.executable, *script], [*TORCHRUN, *script]):
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return {file.stem: safetensors.torch.load_file(file) for file in folder.iterdir()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_and_weights_are_those_of_one_process(results: dict[str, dict[str, Tensor]], variant: str) -> None:
    alone, first, second = (
        {n: v for n, v in results[key].items() if n.startswith(f"{variant}/")} for key in ("1-0", "2-0", "2-1")
    )
    assert alone.keys() == first.keys() == second.keys()
    assert any("/gradient/" in name for name in alone)
    largest = max(float(v.abs().max()) for n, v in alone.items() if "/gradient/" in n)
    own_statistics = "running_" in str(alone.keys()) and variant == "moco"
    for name, expected in alone.items():
        if own_statistics and ("running_" in name or "num_batches" in name):
            continue  # each process has the statistics of its own parts
        # Rounding errors grow in three large steps.
        limit = 2e-5 * largest if "/gradient/" in name else 1e-4 * max(1.0, float(expected.abs().max()))
        assert float((first[name] - expected).abs().max()) <= limit, name
        assert float((second[name] - expected).abs().max()) <= limit, name


def test_the_gradients_are_not_trivial(results: dict[str, dict[str, Tensor]]) -> None:
    gradients = [v for n, v in results["1-0"].items() if "/gradient/" in n and v.dim() > 1]
    assert len(gradients) > 30
    assert all(float(g.abs().max()) > 0 for g in gradients)
    assert STEPS > 1


def test_cpu_sync_batch_norm_of_one_process_is_torchs_batch_norm() -> None:
    """Values, gradients and running statistics, in training and in eval mode."""
    torch.manual_seed(0)
    for layer, shape in (
        (nn.BatchNorm1d(5), (7, 5)),
        (nn.BatchNorm2d(5), (7, 5, 3, 2)),
        (nn.BatchNorm1d(5, affine=False), (7, 5)),
    ):
        synchronized = CPUSyncBatchNorm(type(layer)(5, affine=layer.affine), World())
        results = []
        for norm in (layer, synchronized):
            x = torch.linspace(-2, 3, torch.Size(shape).numel()).sin().view(shape).requires_grad_()
            out = norm(x)
            (out * torch.arange(out.numel()).view(shape)).sum().backward()
            results.append([out, x.grad, *(p.grad for p in norm.parameters()), *norm.buffers(), norm.eval()(x)])
        for expected, got in zip(*results, strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-3)


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.BatchNorm2d(4), BatchNormAct2d(4)), nn.Flatten(), nn.BatchNorm1d(4))


@pytest.mark.parametrize(
    ("device", "kinds"),
    [
        ("cpu", [CPUSyncBatchNorm, CPUSyncBatchNorm, CPUSyncBatchNorm]),
        ("cuda", [nn.SyncBatchNorm, SyncBatchNormAct, nn.SyncBatchNorm]),
    ],
)
def test_synchronized_layers_keep_names_and_parameters(network: nn.Module, device: str, kinds: list[type]) -> None:
    network[1][0].eval()  # type: ignore[index]
    before, weights = network.state_dict(), dict(network.named_parameters())
    sync_batch_norm(network, World(0, 2), torch.device(device))
    norms = [layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    assert [type(layer) for layer in norms] == kinds
    assert [layer.training for layer in norms] == [False, True, True]
    assert list(network.state_dict()) == list(before)
    assert all(parameter is weights[name] for name, parameter in network.named_parameters())
    x = torch.rand(2, 3, 3, 3)
    out = network.eval()(x)
    assert out.min() >= 0, "timm's layer still applies its activation"


def test_batch_norm_of_one_process_stays(network: nn.Module) -> None:
    before = list(network.modules())
    sync_batch_norm(network, World(), torch.device("cpu"))
    assert list(network.modules()) == before


def start(folder: Path, *extra: str) -> subprocess.Popen[str]:
    settings = ["--dataset", "digits", "--encoder", "cnn", "--image-size", "8", "--batch-size", "64", "--snapshots", "2"]
    command = [*TORCHRUN, "-m", "cl_core", "train", "--run-dir", str(folder), *settings, *extra]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_distributed_run_stops_and_resumes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    begun = start(folder, "--epochs", "400")
    metrics = folder / "metrics.jsonl"
    deadline = time.monotonic() + 90
    while not (metrics.is_file() and '"loss"' in metrics.read_text()):
        assert begun.poll() is None, begun.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    begun.send_signal(signal.SIGINT)
    _, errors = begun.communicate(timeout=60)
    record = RunFolder(folder).read_record()
    assert record.state == "stopped", errors
    assert 0 < record.step < record.total_steps
    steps = [p["step"] for p in RunFolder(folder).read_metrics()]
    assert steps == sorted(steps)
    resumed = start(folder, "--epochs", "400")
    time.sleep(0.1)
    deadline = time.monotonic() + 90
    while RunFolder(folder).read_record().state != "running" or RunFolder(folder).read_metrics()[-1]["step"] <= record.step:
        assert resumed.poll() is None, resumed.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    resumed.send_signal(signal.SIGINT)
    resumed.communicate(timeout=60)
    assert RunFolder(folder).read_record().step > record.step


def test_an_error_is_printed_once(tmp_path: Path) -> None:
    done = start(tmp_path / "run", "--batch-size", "63")
    _, errors = done.communicate(timeout=120)
    assert done.returncode != 0
    assert errors.count("error: A batch of 63 images cannot be shared evenly by 2 processes") == 1
    assert not (tmp_path / "run" / "run.json").exists()
