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

from cl_core.augment.record import sample_record
from cl_core.augment.views import apply_record
from cl_core.data.dataset import Dataset, instances, training_rows
from cl_core.errors import UserError
from cl_core.evaluation.geometry import Geometry, measure_geometry
from cl_core.evaluation.knn import KnnResult, evaluate_knn
from cl_core.models.embedding import embed
from cl_core.models.encoders.base import Encoder, Statistics
from cl_core.models.encoders.registry import build_encoder
from cl_core.models.methods import METHODS, DataShape, Method, Shard
from cl_core.runs.config import RunConfig
from cl_core.runs.events import DivergedError, State, StepDone
from cl_core.system.device import autocast
from cl_core.training.distributed import World, sync_batch_norm
from cl_core.training.health import Verdict, judge, sentence
from cl_core.training.optimizers import Plateau, build_optimizer, learning_rate
from cl_core.training.randomness import EPOCH_STREAM, STEP_STREAM, seeded_generator

LOG_LINES = 500  # the most points a loss curve gets
PROBE_SIZE = 256  # images whose embeddings are kept at every snapshot
PROBE_POSITION = 2**31 - 1  # no step comes this far: the probe's views are the same at every snapshot


KEEP_EVERY = 10  # steps between the states that a run which blows up can go back to
FETCH_EVERY = {"cpu": 1}  # steps between looks at the loss; an accelerator that is asked stands still, so it is asked less often


@dataclasses.dataclass(frozen=True)
class Logged:
    """Means since the last line of the curve; `chance` is the loss of a model that learned nothing, for the last batch."""

    step: int
    epoch: float
    loss: float
    chance: float
    lr: float
    images_per_s: float


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """Embeddings of the probe images, (P, D) float32 of length 1, and how good they are at one moment.

    knn: None where the data set has no labels. verdict, words: how the training goes, as a name and as a sentence.
    """

    step: int
    epoch: float
    knn: KnnResult | None
    geometry: Geometry
    verdict: Verdict
    words: str
    embeddings: Tensor


Event = Logged | Snapshot | StepDone


def image_size(config: RunConfig, dataset: Dataset) -> int:
    """Side of a view: as configured, or the images' own within what the small encoders like."""
    return config.image_size or min(max(dataset.size, 28), 64)


def image_statistics(dataset: Dataset) -> Statistics:
    """Mean and standard deviation of the training images, per channel, in [0, 1]."""
    sample = dataset.train[:: max(1, len(dataset.train) // 1000)]
    pixels = dataset.images[sample].permute(1, 0, 2, 3).flatten(1).double() / 255
    mean, std = pixels.mean(1).tolist(), pixels.std(1).tolist()
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def uses_labels(config: RunConfig) -> bool:
    """Whether a training with these settings reads labels."""
    return METHODS[config.method].uses_labels(config)


def data_shape(config: RunConfig, dataset: Dataset) -> DataShape:
    _, count = instances(dataset, uses_labels(config))
    return DataShape(count, len(dataset.classes))


def build_method(config: RunConfig, dataset: Dataset) -> Method:
    """The method with fresh weights, drawn from the run's seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        encoder = build_encoder(config.encoder, image_size(config, dataset), image_statistics(dataset))
        return METHODS[config.method](encoder, config, data_shape(config, dataset))


def epoch_order(groups: Tensor, config: RunConfig, epoch: int) -> Tensor:
    """Rows to visit in one epoch: one random member of each group, in random order, (G,) int64.

    Images of one group show the same thing; as each other's negatives they would be false ones.
    """
    generator = seeded_generator(torch.device("cpu"), config.seed, EPOCH_STREAM, epoch)
    shuffled = torch.randperm(len(groups), generator=generator)
    _, group = groups[shuffled].unique(return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(groups))
    first = first.scatter_reduce(0, group, torch.arange(len(groups)), "amin")
    return shuffled[first.sort().values]


def monitor_rows(dataset: Dataset) -> Tensor:
    """The images that are looked at at every snapshot, (P,) int64."""
    shown = dataset.shown
    return shown[torch.linspace(0, len(shown) - 1, min(PROBE_SIZE, len(shown))).long()]


def monitor_geometry(
    method: Method, config: RunConfig, dataset: Dataset, size: int, device: torch.device
) -> tuple[Geometry, Tensor]:
    """Geometry of the probe images, and their embeddings (P, D); the same views whenever it is asked."""
    generator = seeded_generator(device, config.seed, STEP_STREAM, PROBE_POSITION)
    return measure_geometry(method, dataset.images[monitor_rows(dataset)].to(device), config.augment, size, generator)


def check_compiler(device: torch.device) -> None:
    """Compile something small, so that a machine that cannot says so before anything is written.

    Raises:
        UserError: torch finds no compiler.
    """
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(8, device=device))
    except torch._dynamo.exc.BackendCompilerFailed as error:
        reason = str(error.inner_exception).strip().splitlines()[0]
        raise UserError(f"torch cannot compile here ({reason}): install a C++ compiler, or train without compile.") from None


def check_data(config: RunConfig, dataset: Dataset, world: World | None = None) -> None:
    """Whether these settings can learn from these images, before anything is built.

    Raises:
        UserError: they need labels that are not there, the processes cannot share a batch, or there are too few images.
    """
    world = world or World()
    if not METHODS[config.method].trainable:
        raise UserError(f"{config.method} is for encoders that others trained: choose a method to train, such as simclr.")
    if config.batch_size % world.size:
        raise UserError(
            f"A batch of {config.batch_size} images cannot be shared evenly by {world.size} processes: "
            f"choose a batch_size that is a multiple of {world.size}."
        )
    if uses_labels(config) and not dataset.labeled:
        raise UserError(
            f"{config.method} with these settings learns from labels, and {dataset.name} has none: "
            "choose a method without labels (simclr, simsiam, moco), or images in one folder a class."
        )
    if data_shape(config, dataset).instances < max(2, world.size):
        raise UserError(f"{dataset.name} has fewer than two images to train on: a batch needs at least two.")


class Training:
    """One training: networks, optimizer and position. `events()` moves it forward.

    Raises:
        UserError: the method needs labels and the data set has none.
    """

    def __init__(self, config: RunConfig, dataset: Dataset, device: torch.device, world: World | None = None) -> None:
        self.world = world or World()
        check_data(config, dataset, self.world)
        self.config, self.dataset, self.device = config, dataset, device
        self.size = image_size(config, dataset)
        self.labels_seen = uses_labels(config)
        self.rows = training_rows(dataset, self.labels_seen)
        instance, count = instances(dataset, self.labels_seen)
        self.batch = min(config.batch_size, count) // self.world.size * self.world.size
        self.steps_per_epoch = count // self.batch  # a short last batch would have fewer negatives: it is left out
        self.total = self.steps_per_epoch * config.epochs
        self.method = build_method(config, dataset).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._shard_batches()
        if config.compile:
            check_compiler(device)
            for network in self.method.modules():
                if isinstance(network, Encoder):
                    network.compile()  # in place: names of weights stay
        self.optimizer = build_optimizer(config, self.method, device)
        self.plateau = Plateau(config.plateau_patience, config.plateau_factor)
        self.step = 0
        self._sums = {"line": 0.0, "epoch": 0.0}
        self._good: State | None = None  # the newest kept state whose loss was a number
        self._kept: State | None = None  # the newest kept state
        self._losses: list[Tensor] = []  # of the last steps, not yet looked at
        self._fetch_every = FETCH_EVERY.get(device.type, KEEP_EVERY)
        self._loss_count = 0
        self._last: tuple[float, float] | None = None  # loss and chance of the last line of the curve
        self._instances = instance.to(device)
        self._images = dataset.images.to(device)
        self._labels = dataset.labels.to(device)
        self.probe = monitor_rows(dataset)

    @property
    def epoch(self) -> float:
        return self.step / self.steps_per_epoch

    def _shard_batches(self) -> None:
        if self.world.size == 1:
            return
        self.method.shard = Shard(self.world.gather, lambda rows: rows[self.world.shard(len(rows))], self.world.size)
        # MoCo's parts of a batch must not share statistics; the processes' shards are such parts.
        if not (self.config.method == "moco" and self.config.batch_norm_splits > 1):
            sync_batch_norm(self.method, self.world)

    def snapshot_steps(self) -> set[int]:
        """Steps after which features are kept: the start, then closer together early, where most happens."""
        count = self.config.snapshots
        if count == 0:
            return set()
        return {round(self.total * (i / max(1, count - 1)) ** 2) for i in range(count)} | {self.total}

    def events(self) -> Iterator[Event]:
        """Train from the present step to the end.

        Raises:
            DivergedError: the loss or the features are no longer finite; the state is the last good one, at most
                `KEEP_EVERY` steps back.
        """
        snapshots = self.snapshot_steps()
        log_every = max(1, math.ceil(self.total / LOG_LINES))
        if self.step == 0 and 0 in snapshots and self.world.is_main:
            yield self.snapshot()
        order, order_epoch = torch.empty(0), -1
        clock, images = time.perf_counter(), 0
        while self.step < self.total:
            epoch, position = divmod(self.step, self.steps_per_epoch)
            if epoch != order_epoch:
                order = self.rows[epoch_order(self.dataset.groups[self.rows], self.config, epoch)].to(self.device)
                order_epoch = epoch
            lr = learning_rate(self.config, self.step, self.total) * self.plateau.factor
            chance = self._step(order[position * self.batch : (position + 1) * self.batch], lr)
            images += self.batch
            if self.step % self._fetch_every == 0:
                self._look_at_losses()
            if position + 1 == self.steps_per_epoch:
                self._epoch_done()
            if self.step % log_every == 0 or self.step == self.total:
                self._look_at_losses()
                loss = self._sums["line"] / self._loss_count
                self._sums["line"], self._loss_count, self._last = 0.0, 0, (loss, chance)
                elapsed = time.perf_counter() - clock
                yield Logged(self.step, self.epoch, loss, chance, lr, images / elapsed)
                clock, images = time.perf_counter(), 0
            if self.step in snapshots and self.world.is_main:
                yield self.snapshot()
                clock, images = time.perf_counter(), 0
            yield StepDone(self.step)

    def _step(self, rows: Tensor, lr: float) -> float:
        generator = seeded_generator(self.device, self.config.seed, STEP_STREAM, self.step)
        self.method.train()
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        views = self._views(rows, generator)
        if self.step % KEEP_EVERY == 0:
            self._kept = self._copy()
        with autocast(self.device, self.config.precision):
            output = self.method(views, self._labels[rows], self._instances[rows], generator)
        self._losses.append(output.loss.detach())
        self.optimizer.zero_grad(set_to_none=True)
        output.loss.backward()
        self.world.sum_gradients(self.method.parameters())
        self.optimizer.step()
        self.method.after_step()
        self.step += 1
        return output.chance

    def _views(self, rows: Tensor, generator: torch.Generator) -> list[Tensor]:
        """This process's shard of each view of a batch; what happens to an image does not depend on how many there are."""
        own = self.world.shard(len(rows))
        images = self._images[rows[own]]
        height, width = images.shape[2:]
        records = [sample_record(len(rows), height, width, self.config.augment, generator) for _ in range(self.method.views)]
        views = [apply_record(images, record[own], self.size) for record in records]
        return [view.contiguous(memory_format=torch.channels_last) for view in views]

    def _look_at_losses(self) -> None:
        """Fetch the losses since the last look and add them up.

        Raises:
            DivergedError: one of them is not a number.
        """
        if not self._losses:
            return
        losses = torch.stack(self._losses).tolist()
        first = self.step - len(losses)
        self._losses = []
        for step, loss in enumerate(losses, first):
            if not math.isfinite(loss):
                self._good = self._good or self._kept
                raise self._diverged(f"The loss became {loss}", step)
            if self._kept is not None:  # a state is good if a loss that came from it was a number
                self._good, self._kept = self._kept, None
            for name in self._sums:
                self._sums[name] += loss
            self._loss_count += 1

    def _epoch_done(self) -> None:
        self._look_at_losses()
        if self.config.schedule == "plateau":
            self.plateau.epoch_done(self._sums["epoch"] / self.steps_per_epoch)
        self._sums["epoch"] = 0.0

    def snapshot(self) -> Snapshot:
        self._look_at_losses()
        with torch.compiler.set_stance("force_eager"):  # whole images come in batches of all sizes
            return self._measure()

    def _measure(self) -> Snapshot:
        # On the way quickly; at the end as whoever measures the finished run will.
        precision = self.config.precision if self.step < self.total else "float32"
        features = embed(self.method, self.dataset.images, self.size, self.device, precision=precision)
        if not features.isfinite().all():
            raise self._diverged("The features became not a number", self.step)
        geometry, embeddings = monitor_geometry(self.method, self.config, self.dataset, self.size, self.device)
        loss, chance = self._last or (None, 0.0)
        verdict = judge(self.step, loss, chance, geometry)
        knn = evaluate_knn(features, self.dataset, labels_seen=self.labels_seen) if self.dataset.labeled else None
        words = sentence(verdict, loss, chance, geometry)
        return Snapshot(self.step, self.epoch, knn, geometry, verdict, words, embeddings)

    def _copy(self) -> State:
        tensors, header = self.state()
        return {name: value.clone() for name, value in tensors.items()}, header

    def _diverged(self, what: str, step: int) -> DivergedError:
        """Go back to the last good state, and say so."""
        lr = learning_rate(self.config, step, self.total) * self.plateau.factor
        if self._good is not None:
            self.restore(*self._good)
        return DivergedError(
            f"{what} at step {step + 1:,} with learning rate {lr:.3g}; the state after step {self.step:,}, the last good one, "
            f"is kept; start again in a new folder with an lr below {self.config.lr:g}."
        )

    def state(self) -> State:
        """All that resuming needs, as tensors and as text (the header of a safetensors file).

        Raises:
            DivergedError: a loss since the last look at them was not a number.
        """
        self._look_at_losses()
        tensors = {f"method.{name}": value for name, value in self.method.state_dict().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(v) for name, v in values.items() if v is not None}
        position = {
            "step": self.step,
            "sums": self._sums,
            "loss_count": self._loss_count,
            "last": self._last,
            "plateau": self.plateau.state(),
        }
        return tensors, {"position": json.dumps(position)}

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
        for weight, kept in self.optimizer.state.items():
            for key, value in kept.items():
                if isinstance(value, Tensor) and value.shape == weight.shape:
                    # A fused optimizer walks through memory: moments must lie there as their weights do.
                    kept[key] = torch.empty_like(weight, dtype=value.dtype).copy_(value)
        self._sums = dict(position["sums"])
        self.step, self._loss_count = position["step"], position["loss_count"]
        self._last = None if position["last"] is None else tuple(position["last"])
        self.plateau.restore(position["plateau"])
        self._losses = []
        self._good, self._kept = self._copy(), None
