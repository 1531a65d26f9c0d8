"""The training loop: a generator of events over plain PyTorch.

Everything random in step s is drawn from a generator seeded with (seed, s), and everything random in
epoch e from one seeded with (seed, e). So there is no generator state to keep, measuring in between
changes nothing, and a run resumed at any step goes on bit for bit as if it had never stopped.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from cl_core.data.catalog import Dataset
from cl_core.data.views import make_views
from cl_core.device import autocast
from cl_core.embedding import embed
from cl_core.encoders import Statistics, build_encoder
from cl_core.errors import UserError
from cl_core.evaluation.knn import KnnResult, evaluate_knn
from cl_core.methods import METHODS, Method
from cl_core.training.config import RunConfig

LOG_LINES = 500  # the most points a loss curve gets
PROBE_SIZE = 256  # pictures whose embeddings are kept at every snapshot
EPOCH_STREAM, STEP_STREAM = 0, 1


@dataclasses.dataclass(frozen=True)
class Logged:
    """Means since the last line of the curve; `chance` is the loss of a model that learned nothing."""

    step: int
    epoch: float
    loss: float
    chance: float
    lr: float
    pictures_per_s: float


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """Embeddings of the probe pictures, (P, D) float32 of length 1, and kNN accuracy at one moment."""

    step: int
    epoch: float
    knn: KnnResult
    embeddings: Tensor


@dataclasses.dataclass(frozen=True)
class StepDone:
    """One optimiser step was made; the state may be saved here."""

    step: int


Event = Logged | Snapshot | StepDone


def image_size(config: RunConfig, dataset: Dataset) -> int:
    """Side of a view: as configured, or the pictures' own within what the small encoders like."""
    return config.image_size or min(max(dataset.size, 28), 64)


def picture_statistics(dataset: Dataset) -> Statistics:
    """Mean and standard deviation of the training pictures, per channel, in [0, 1]."""
    sample = dataset.train[:: max(1, len(dataset.train) // 1000)]
    pixels = dataset.pictures[sample].permute(1, 0, 2, 3).flatten(1).double() / 255
    mean, std = pixels.mean(1).tolist(), pixels.std(1).tolist()
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def build_method(config: RunConfig, dataset: Dataset) -> Method:
    """The method with fresh weights, drawn from the run's seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        encoder = build_encoder(config.encoder, image_size(config, dataset), picture_statistics(dataset))
        return METHODS[config.method](encoder, config)


def learning_rate(config: RunConfig, step: int, total: int) -> float:
    """Linear warm-up to the peak, then a cosine to zero, in steps: step is 0 to total - 1."""
    warmup = int(config.warmup * total)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def _generator(device: torch.device, seed: int, stream: int, position: int) -> torch.Generator:
    # Distinct for every (seed, stream, position) with seed < 2**31, stream < 2, position < 2**31.
    return torch.Generator(device).manual_seed((seed << 32) | (stream << 31) | position)


def epoch_order(groups: Tensor, config: RunConfig, epoch: int) -> Tensor:
    """Rows to visit in one epoch: one random member of each group, in random order, (G,) int64.

    Pictures of one group show the same thing; as each other's negatives they would be false ones.
    """
    generator = _generator(torch.device("cpu"), config.seed, EPOCH_STREAM, epoch)
    shuffled = torch.randperm(len(groups), generator=generator)
    _, group = groups[shuffled].unique(return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(groups))
    first = first.scatter_reduce(0, group, torch.arange(len(groups)), "amin")
    return shuffled[first.sort().values]


class Training:
    """One training: networks, optimiser and position. `events()` moves it forward."""

    def __init__(self, config: RunConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.dataset, self.device = config, dataset, device
        self.size = image_size(config, dataset)
        groups = dataset.groups[dataset.train].unique().numel()
        self.batch = min(config.batch_size, groups)
        self.steps_per_epoch = groups // self.batch  # a short last batch would have fewer negatives: it is left out
        self.total = self.steps_per_epoch * config.epochs
        self.method = build_method(config, dataset).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(
            self.method.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=device.type == "cuda"
        )
        self.step = 0
        self._loss_sum = torch.zeros((), device=device, dtype=torch.float64)
        self._loss_count = 0
        self._pictures = dataset.pictures.to(device)
        self._labels = dataset.labels.to(device)
        shown = dataset.shown
        self.probe = shown[torch.linspace(0, len(shown) - 1, min(PROBE_SIZE, len(shown))).long()]

    @property
    def epoch(self) -> float:
        return self.step / self.steps_per_epoch

    def snapshot_steps(self) -> set[int]:
        """Steps after which features are kept: the start, then closer together early, where most happens."""
        count = self.config.snapshots
        if count == 0:
            return set()
        return {round(self.total * (i / max(1, count - 1)) ** 2) for i in range(count)} | {self.total}

    def events(self) -> Iterator[Event]:
        """Train from the present step to the end.

        Raises:
            UserError: the loss is no longer finite.
        """
        snapshots = self.snapshot_steps()
        log_every = max(1, math.ceil(self.total / LOG_LINES))
        if self.step == 0 and 0 in snapshots:
            yield self.snapshot()
        order, order_epoch = torch.empty(0), -1
        clock, pictures = time.perf_counter(), 0
        while self.step < self.total:
            epoch, position = divmod(self.step, self.steps_per_epoch)
            if epoch != order_epoch:
                groups = self.dataset.groups[self.dataset.train]
                order, order_epoch = self.dataset.train[epoch_order(groups, self.config, epoch)], epoch
            lr = learning_rate(self.config, self.step, self.total)
            chance = self._step(order[position * self.batch : (position + 1) * self.batch], lr)
            pictures += self.batch
            if self.step % log_every == 0 or self.step == self.total:
                loss = float(self._loss_sum / self._loss_count)
                if not math.isfinite(loss):
                    raise UserError(
                        f"The loss became {loss} at step {self.step}: a lower learning rate than {self.config.lr:g} is needed."
                    )
                self._loss_sum.zero_()
                self._loss_count = 0
                elapsed = time.perf_counter() - clock
                yield Logged(self.step, self.epoch, loss, chance, lr, pictures / elapsed)
                clock, pictures = time.perf_counter(), 0
            if self.step in snapshots:
                yield self.snapshot()
                clock, pictures = time.perf_counter(), 0
            yield StepDone(self.step)

    def _step(self, rows: Tensor, lr: float) -> float:
        rows = rows.to(self.device)
        pictures, generator = self._pictures[rows], _generator(self.device, self.config.seed, STEP_STREAM, self.step)
        self.method.train()
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        views = [
            make_views(pictures, self.config.views, self.size, generator)[0].contiguous(memory_format=torch.channels_last)
            for _ in range(2)
        ]
        with autocast(self.device, self.config.precision):
            output = self.method(views, self._labels[rows], rows)
        self.optimizer.zero_grad(set_to_none=True)
        output.loss.backward()
        self.optimizer.step()
        self.step += 1
        self._loss_sum += output.loss.detach()
        self._loss_count += 1
        return output.chance

    def snapshot(self) -> Snapshot:
        features = embed(self.method, self.dataset.pictures, self.size, self.device)
        embeddings = embed(self.method, self.dataset.pictures[self.probe], self.size, self.device, "embedding")
        return Snapshot(self.step, self.epoch, evaluate_knn(features, self.dataset), embeddings)

    def state(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """All that resuming needs, as tensors and as text (the header of a safetensors file)."""
        tensors = {f"method.{name}": value for name, value in self.method.state_dict().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in values.items()}
        tensors["loss_sum"] = self._loss_sum
        return tensors, {"position": json.dumps({"step": self.step, "loss_count": self._loss_count})}

    def restore(self, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
        """Take up a state that `state` gave.

        Raises:
            KeyError, ValueError, RuntimeError: it does not belong to a run with these settings.
        """
        position: dict[str, Any] = json.loads(header["position"])
        method = {n.removeprefix("method."): v for n, v in tensors.items() if n.startswith("method.")}
        self.method.load_state_dict(method)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                moments.setdefault(int(index), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self._loss_sum = tensors["loss_sum"].to(self.device)
        self.step, self._loss_count = position["step"], position["loss_count"]
