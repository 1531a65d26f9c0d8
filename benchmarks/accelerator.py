"""One GPU: a step of SimCLR with ResNet-18 (32 px stem) beside lightly and the bare step, and CIFAR-10 in minutes.

    python -m benchmarks.accelerator steps [--compile] [--batch N]   images a second and MFU
    python -m benchmarks.accelerator ddp                             DDP on one process equals none
    python -m benchmarks.accelerator knn [--minutes M] [--seed S]    kNN on CIFAR-10 after M minutes (8)
    python -m benchmarks.accelerator                                 an epoch and twenty minutes of the plain recipe

The first three take at most ten minutes each. `python -m cl_core data get cifar10` brings the images; steps and ddp work
without them. --device cpu shows on any machine that a command works.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.step import as_dataset, small_images
from benchmarks.table import Row
from cl_core.data.dataset import Dataset
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.losses import nt_xent
from cl_core.runs.config import RunConfig
from cl_core.runs.events import StepDone
from cl_core.system.device import autocast
from cl_core.training.distributed import sum_gradients
from cl_core.training.loop import Snapshot, Training
from cl_core.training.recorder import merge

SETTINGS: dict[str, Any] = {
    "dataset": "cifar10",
    "encoder": "resnet18-32px",
    "batch_size": 512,
    "temperature": 0.2,
    "optimizer": "sgd",
    "lr": 0.4,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "augment": {"blur_prob": 0.0},
}
# For few minutes: the recipe `coffee` with the larger encoder and a batch that fills a GPU.
FAST: dict[str, Any] = SETTINGS | {
    "views": 4,
    "whitening": 0.75,
    "optimizer": "muon",
    "lr": 8e-3,
    "weight_decay": 0.1,
}
PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}  # dense bfloat16, from NVIDIA's data sheets
WARM, TIMED = 60, 100  # steps
ASKED = (
    "One H100-class GPU: ResNet-18 on CIFAR-10 at most 3.5 s an epoch at batch 512",
    "... kNN at least 90 % within 20 minutes",
)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_a_step(step: Callable[[], object], device: torch.device, warm: int, timed: int) -> float:
    for _ in range(warm):
        step()
    wait(device)
    began = time.perf_counter()
    for _ in range(timed):
        step()
    wait(device)
    return (time.perf_counter() - began) / timed


def bare_step(training: Training, device: torch.device) -> Callable[[], object]:
    """The same networks, loss and optimizer on views that are ready: what augmentation and records cost is the difference."""
    _, views, _ = training.batch_of(0)
    method, optimizer = training.method, training.optimizer
    method.train()

    def step() -> None:
        with autocast(device, training.config.precision):
            z1, z2 = method.project(method.encoder(torch.cat(views))).chunk(2)
            loss = nt_xent(z1, z2, 0.2)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def lightly_step(training: Training, device: torch.device) -> Callable[[], object] | None:
    """lightly's head and loss on the same encoder and views that are ready; None where lightly is not installed."""
    try:
        from lightly.loss import NTXentLoss
        from lightly.models.modules import SimCLRProjectionHead
    except ImportError:
        return None
    _, views, _ = training.batch_of(0)
    encoder = training.method.encoder
    head = SimCLRProjectionHead(encoder.dim, encoder.dim, 128).to(device)
    network, criterion = nn.ModuleList([encoder, head]), NTXentLoss(temperature=0.2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)

    def step() -> None:
        with autocast(device, training.config.precision):
            losses: Tensor = criterion(head(encoder(views[0])), head(encoder(views[1])))
        optimizer.zero_grad(set_to_none=True)
        losses.backward()
        optimizer.step()

    return step


def flops_of(step: Callable[[], object]) -> int:
    """Floating-point operations of a step, forward and backward; a multiplication and an addition are two."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def images() -> Dataset:
    """CIFAR-10, or without it some thousand images that come with the project."""
    return load_dataset("cifar10") if "cifar10" in dataset_names() else as_dataset(small_images())


def measure_steps(device: torch.device, batch: int, compiled: bool, warm: int, timed: int) -> dict[str, Any]:
    """Seconds, images a second and MFU of a step of training, of the bare step and of lightly's."""
    dataset = images()
    config = RunConfig.model_validate(merge(SETTINGS, {"batch_size": batch, "snapshots": 0, "compile": compiled, "epochs": 1000}))
    training = Training(config, dataset, device)
    batch = training.batch  # at most as many as there are images
    plain = Training(config.model_copy(update={"compile": False}), dataset, device)
    flops = flops_of(bare_step(plain, device))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    peak = next((value for key, value in PEAK_FLOPS.items() if key in name), None)
    found: dict[str, Any] = {"device": name, "torch": torch.__version__, "batch": batch, "compile": compiled, "flops": flops}
    done = (event for event in training.events() if isinstance(event, StepDone))
    steps: dict[str, Callable[[], object] | None] = {
        "training": lambda: next(done),
        "bare": bare_step(training, device),
        "lightly": None if compiled else lightly_step(plain, device),
    }
    for key, step in steps.items():
        if step is None:
            continue
        seconds = seconds_a_step(step, device, warm, timed)
        found[key] = {"ms": 1e3 * seconds, "images_per_s": batch / seconds}
        if peak and key != "lightly":  # its head has other operations
            found[key]["MFU"] = flops / seconds / peak
    return found


def check_ddp(device: torch.device, steps: int) -> dict[str, Any]:
    """Largest difference of weights after a few steps in float32, through DDP on one process and without."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511", "RANK": "0", "WORLD_SIZE": "1"}
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    backend = "nccl" if device.type == "cuda" else "gloo"
    config = RunConfig.model_validate(merge(SETTINGS, {"batch_size": 64, "snapshots": 0, "precision": "float32"}))
    torch.use_deterministic_algorithms(True, warn_only=True)
    states = []
    torch.distributed.init_process_group(backend)
    try:
        for through_ddp in (False, True):
            training = Training(config, images(), device)
            if through_ddp:  # which training with one process leaves out
                training._parallel = sum_gradients(training.method)
            for _ in range(steps):
                training.take_step()
            states.append({name: value.float().cpu() for name, value in training.method.state_dict().items()})
    finally:
        torch.distributed.destroy_process_group()
    largest = max(float((states[0][name] - states[1][name]).abs().max()) for name in states[0])
    return {"device": device.type, "steps": steps, "largest difference": largest, "equal": largest < 1e-6}


def seconds_an_epoch(device: torch.device, settings: dict[str, Any], epochs: int = 3) -> float:
    """The best of a few epochs after one to warm up, as within a long run, which seldom waits for the loss; no snapshots."""
    changes = {"epochs": 1000, "snapshots": 0, "whitening": 0.0}
    training = Training(RunConfig.model_validate(merge(settings, changes)), load_dataset("cifar10"), device)
    times: list[float] = []
    began = time.perf_counter()
    for event in training.events():
        if isinstance(event, StepDone) and event.step % training.steps_per_epoch == 0:
            wait(device)
            times.append(time.perf_counter() - began)
            if len(times) > epochs:
                break
            began = time.perf_counter()
    return min(times[1:])


def knn_in(minutes: float, device: torch.device, settings: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """kNN after as many epochs as fit with a tenth to spare."""
    epoch = seconds_an_epoch(device, settings, epochs=2)
    epochs = max(1, int(0.9 * 60 * minutes / epoch))
    began = time.perf_counter()
    config = RunConfig.model_validate(merge(settings, {"epochs": epochs, "snapshots": 2, "seed": seed}))
    training = Training(config, load_dataset("cifar10"), device)
    accuracy = 0.0
    for event in training.events():
        if isinstance(event, Snapshot) and event.knn:
            accuracy = event.knn.accuracy
            print(f"epoch {training.epoch:.0f} of {epochs}: {accuracy:.2%}", file=sys.stderr, flush=True)
    taken = (time.perf_counter() - began) / 60
    return {"epoch_s": epoch, "knn": accuracy, "epochs": epochs, "minutes": taken, "seed": seed}


def rows() -> list[Row]:
    reason = "no CUDA here" if not torch.cuda.is_available() else "CIFAR-10 is not on this machine"
    if not torch.cuda.is_available() or "cifar10" not in dataset_names():
        return [Row(asked, f"not measured: {reason}", None) for asked in ASKED]
    found = knn_in(20, torch.device("cuda"), SETTINGS)
    epoch, accuracy, minutes = found["epoch_s"], found["knn"], found["minutes"]
    title = load_dataset("cifar10").title
    return [
        Row(ASKED[0], f"{epoch:.2f} s on {title}", epoch <= 3.5),
        Row(
            ASKED[1],
            f"{accuracy:.1%} after {found['epochs']} epochs in {minutes:.1f} min on {title}",
            accuracy >= 0.9 and minutes <= 20,
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["steps", "ddp", "knn"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=SETTINGS["batch_size"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=TIMED, help="timed steps, or those of ddp")
    arguments = parser.parse_args()
    if arguments.what is None:
        for row in rows():
            print(row.line())
        return
    device = torch.device(arguments.device)
    if arguments.what == "steps":
        warm = min(WARM, arguments.steps)
        found = measure_steps(device, arguments.batch, arguments.compile, warm, arguments.steps)
    elif arguments.what == "ddp":
        found = check_ddp(device, min(arguments.steps, 10))
    else:
        found = knn_in(arguments.minutes, device, FAST, arguments.seed)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
