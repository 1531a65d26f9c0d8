"""The training loop: a generator of events over plain PyTorch.

Everything random in step s is drawn from a generator seeded with (seed, s), and everything random in epoch e from one
seeded with (seed, e). So no generator state is saved, measuring between steps changes nothing, and a run resumed at any
step is bit for bit the same as an uninterrupted one. (Kernels of CUDA sum in changing order: there it is nearly the same.)
"""

from __future__ import annotations

import contextlib
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
from cl_core.data.dataset import Dataset, instances, spaced, training_rows
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError, quoted
from cl_core.evaluation.geometry import Geometry
from cl_core.evaluation.knn import KnnResult, evaluate_knn, has_split
from cl_core.networks.embedding import NotFiniteError, embed
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.methods import Shard
from cl_core.runs.config import NO_DRAWINGS, RunConfig
from cl_core.runs.events import DivergedError, State, StepDone
from cl_core.system.device import autocast
from cl_core.training.distributed import World, data_parallel, sync_batch_norm
from cl_core.training.drawings import Drawings
from cl_core.training.health import Verdict, sentence, training_verdict
from cl_core.training.optimizers import Plateau, build_optimizer, learning_rate
from cl_core.training.randomness import STEP_STREAM, seeded_generator
from cl_core.training.setup import (
    MAX_WHITENED,
    build_method,
    check_compiler,
    check_data,
    epoch_order,
    image_size,
    map_rows,
    monitor_geometry,
    monitor_rows,
    uses_labels,
    view_plan,
)

LOG_LINES = 500  # at most so many points in a loss curve
CHECKUPS = (10, 20, 30, 40, 50)  # steps; not in runs so short that they have snapshots there
COPY_EVERY = 10  # steps between copies of the state, to which a diverged run returns
FETCH_EVERY = {"cpu": 1}  # steps between fetches of the loss; on an accelerator each one waits, so `COPY_EVERY` there


@dataclasses.dataclass(frozen=True)
class Logged:
    """Means over the steps since the last `Logged`; chance: loss of a model that has learned nothing, for the last batch."""

    step: int
    epoch: float
    loss: float
    chance: float
    lr: float
    images_per_s: float


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """Embeddings of the monitor images, (P, D) float32 of length 1, and their quality after `step` steps.

    knn: None where the data set has no labels. loss: latest mean, None before the first; chance: its chance level.
    features: of the images on the map, (M, D) float32 of length 1.
    """

    step: int
    epoch: float
    knn: KnnResult | None
    geometry: Geometry
    verdict: Verdict
    loss: float | None
    chance: float
    embeddings: Tensor
    features: Tensor

    @property
    def sentence(self) -> str:
        """The verdict with its numbers, in the language in effect."""
        return sentence(self.verdict, self.loss, self.chance, self.geometry)


@dataclasses.dataclass(frozen=True)
class Checkup:
    """Geometry of the monitor images after one of the first steps, in which a collapse shows."""

    step: int
    epoch: float
    geometry: Geometry


Event = Logged | Snapshot | Checkup | StepDone


class Training:
    """The state of one training run: networks, optimizer and position; `events` trains.

    Raises:
        UserError: as `check_data`, there are no other drawings of the images, or torch finds no compiler.
    """

    def __init__(self, config: RunConfig, dataset: Dataset, device: torch.device, world: World | None = None) -> None:
        self.world = world or World()
        check_data(config, dataset, self.world)
        drawn = config.drawings != NO_DRAWINGS
        others = [load_dataset(config.drawings)] if drawn else []
        self._drawings = Drawings(dataset, others[0], device) if others else None
        self._digests = {each.name: each.digest for each in (dataset, *others)}
        self.config, self.dataset, self.device = config, dataset, device
        self.size = image_size(config, dataset)
        self._view_plan = view_plan(config, dataset)
        self.labels_seen = uses_labels(config)
        self.rows = training_rows(dataset, self.labels_seen)
        instance, count = instances(dataset, self.labels_seen)
        self.batch = min(config.batch_size, count) // self.world.size * self.world.size
        self.steps_per_epoch = count // self.batch  # a short last batch is dropped: it has fewer negatives
        self.total = self.steps_per_epoch * config.epochs
        self.method = build_method(config, dataset).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._shard_batches()
        if config.compile:
            check_compiler(device)
            for network in self.method.modules():
                if isinstance(network, Encoder):
                    network.compile()  # in place, so that the names of weights stay
        self._parallel = data_parallel(self.method, self.world)
        self.optimizer = build_optimizer(config, self.method, device)
        self.plateau = Plateau(config.plateau_patience, config.plateau_factor)
        self.step = 0
        self._sums = {"line": 0.0, "epoch": 0.0}
        self._good_state: State | None = None  # the newest copy whose loss was finite
        self._unverified_state: State | None = None  # the newest copy, before its loss is fetched
        self._order = -1, torch.empty(0)  # of the latest epoch
        self._losses: list[Tensor] = []  # of the last steps, not yet fetched
        self._fetch_every = FETCH_EVERY.get(device.type, COPY_EVERY)
        self._loss_count = 0
        self._last: tuple[float, float] | None = None  # loss and chance level of the last `Logged`
        self.instances = instance.to(device)
        self._images = self._drawings.images if self._drawings else dataset.images.to(device)
        self._labels = dataset.labels.to(device)
        self.monitor_rows, self.map_rows = monitor_rows(dataset), map_rows(dataset)

    @property
    def epoch(self) -> float:
        return self.step / self.steps_per_epoch

    def _shard_batches(self) -> None:
        if self.world.size == 1:
            return
        self.method.shard = Shard(self.world.gather, lambda rows: rows[self.world.shard(len(rows))], self.world.size)
        # The parts into which MoCo splits a batch must not share statistics; the processes' shards are such parts.
        if not (self.config.method == "moco" and self.config.batch_norm_splits > 1):
            sync_batch_norm(self.method, self.world, self.device)

    def snapshot_steps(self) -> set[int]:
        """Steps after which a snapshot is taken: from 0 to the end, denser early, where features change fastest."""
        count = self.config.snapshots
        if count == 0:
            return set()
        return {round(self.total * (i / max(1, count - 1)) ** 2) for i in range(count)} | {self.total}

    def events(self) -> Iterator[Event]:
        """Train from the current step to the end.

        Raises:
            DivergedError: the loss or the features are no longer finite; the state is then the last good one, at most
                `COPY_EVERY` steps back.
        """
        snapshots = self.snapshot_steps()
        checkups = CHECKUPS if snapshots and self.total > 2 * CHECKUPS[-1] else ()
        log_every = max(1, math.ceil(self.total / LOG_LINES))
        if self.step == 0 and 0 in snapshots and self.world.is_main:
            yield self.snapshot()
        clock, images = time.perf_counter(), 0
        while self.step < self.total:
            lr = learning_rate(self.config, self.step, self.total) * self.plateau.factor
            chance = self._step(lr)
            images += self.batch
            if self.step % self._fetch_every == 0:
                self._fetch_losses()
            if self.step % self.steps_per_epoch == 0:
                self._epoch_done()
            if self.step % log_every == 0 or self.step == self.total:
                self._fetch_losses()
                loss = self._sums["line"] / self._loss_count
                self._sums["line"], self._loss_count, self._last = 0.0, 0, (loss, chance)
                elapsed = time.perf_counter() - clock
                yield Logged(self.step, self.epoch, loss, chance, lr, images / elapsed)
                clock, images = time.perf_counter(), 0
            if self.step == self.total and self.config.whitening:
                self._whiten()
            if self.step in snapshots and self.world.is_main:
                yield self.snapshot()
                clock, images = time.perf_counter(), 0
            elif self.step in checkups and self.world.is_main:
                with contextlib.suppress(NotFiniteError):  # the loss reports it
                    yield self._checkup()
                clock, images = time.perf_counter(), 0
            yield StepDone(self.step)

    def take_step(self) -> Logged:
        """Take one step outside `events`, also beyond the last one.

        Raises:
            DivergedError: the loss is not finite.
        """
        lr = learning_rate(self.config, self.step, self.total) * self.plateau.factor
        chance = self._step(lr)
        loss = float(self._losses[-1])
        self._fetch_losses()
        return Logged(self.step, self.epoch, loss, chance, lr, math.nan)

    def rows_of(self, step: int) -> Tensor:
        """Rows of the images of a step, (N,) int64."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._order[0]:
            order = self.rows[epoch_order(self.dataset.groups[self.rows], self.config, epoch)]
            self._order = epoch, order.to(self.device)
        return self._order[1][position * self.batch : (position + 1) * self.batch]

    def batch_of(self, step: int) -> tuple[Tensor, list[Tensor], torch.Generator]:
        """What a step is computed from, at any time: rows (N,) int64, views (N, 3, S, S) and the generator of its other draws."""
        rows = self.rows_of(step)
        generator = seeded_generator(self.device, self.config.seed, STEP_STREAM, step)
        return rows, self._views(rows, generator), generator

    def _step(self, lr: float) -> float:
        rows, views, generator = self.batch_of(self.step)
        self.method.train()
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        if self.step % COPY_EVERY == 0:
            self._unverified_state = self._copy()
        with autocast(self.device, self.config.precision):
            output = self._parallel(views, self._labels[rows], self.instances[rows], generator)
        self._losses.append(output.loss.detach())
        self.optimizer.zero_grad(set_to_none=True)
        output.loss.backward()
        self.optimizer.step()
        self.method.after_step()
        self.step += 1
        return output.chance

    def _views(self, rows: Tensor, generator: torch.Generator) -> list[Tensor]:
        """This process's shard of each view of a batch; the views do not depend on the number of processes."""
        own = self.world.shard(len(rows))
        height, width = self._images.shape[2:]
        records = [sample_record(len(rows), height, width, augment, generator) for _, augment in self._view_plan]
        if self._drawings:
            sources = [self._images[self._drawings.sample(rows, generator)[own]] for _ in records]
        else:
            sources = [self._images[rows[own]]] * len(records)
        views = [
            apply_record(images, record[own], side)
            for images, record, (side, _) in zip(sources, records, self._view_plan, strict=True)
        ]
        return [view.contiguous(memory_format=torch.channels_last) for view in views]

    def _whiten(self) -> None:
        with contextlib.suppress(NotFiniteError), torch.compiler.set_stance("force_eager"):  # the snapshot reports it
            self.method.whiten(self.raw_features, self.config.whitening)

    def raw_features(self) -> Tensor:
        """Features of the training images without augmentation, not scaled to length 1, (N, dim) float32."""
        images = self.dataset.images[spaced(self.rows, MAX_WHITENED)]
        return embed(self.method, images, self.size, self.device, normalized=False)

    def _fetch_losses(self) -> None:
        """Fetch the losses since the last fetch and add them up.

        Raises:
            DivergedError: one of them is not finite.
        """
        if not self._losses:
            return
        losses = torch.stack(self._losses).tolist()
        first = self.step - len(losses)
        self._losses = []
        for step, loss in enumerate(losses, first):
            if not math.isfinite(loss):
                self._good_state = self._good_state or self._unverified_state
                lr, good = self._restore_good_state(step)
                raise DivergedError(
                    "training.loss_diverged", loss=loss, step=f"{step + 1:,}", lr=lr, good=good, peak=f"{self.config.lr:g}"
                )
            if self._unverified_state is not None:  # a state is good once the loss it gives is finite
                self._good_state, self._unverified_state = self._unverified_state, None
            for name in self._sums:
                self._sums[name] += loss
            self._loss_count += 1

    def _epoch_done(self) -> None:
        self._fetch_losses()
        if self.config.schedule == "plateau":
            self.plateau.epoch_done(self._sums["epoch"] / self.steps_per_epoch)
        self._sums["epoch"] = 0.0

    def snapshot(self) -> Snapshot:
        """Measure the current state.

        Raises:
            DivergedError: a loss or a feature is not finite.
        """
        self._fetch_losses()
        with torch.compiler.set_stance("force_eager"):  # here batches have many sizes, and each would be compiled
            return self._measure()

    def _checkup(self) -> Checkup:
        with torch.compiler.set_stance("force_eager"):
            geometry, _ = monitor_geometry(self.method, self.config, self.dataset, self.size, self.device)
        return Checkup(self.step, self.epoch, geometry)

    def _measure(self) -> Snapshot:
        # The last snapshot uses the precision with which a finished run is evaluated.
        precision = self.config.precision if self.step < self.total else "float32"
        try:
            features = embed(self.method, self.dataset.images, self.size, self.device, precision=precision)
            geometry, embeddings = monitor_geometry(self.method, self.config, self.dataset, self.size, self.device)
        except NotFiniteError:
            at = self.step
            lr, good = self._restore_good_state(at)
            peak = f"{self.config.lr:g}"
            raise DivergedError("training.features_diverged", step=f"{at + 1:,}", lr=lr, good=good, peak=peak) from None
        loss, chance = self._last or (None, 0.0)
        verdict = training_verdict(self.step, loss, chance, geometry, self.epoch if self.step < self.total else math.inf)
        measurable = has_split(self.dataset, self.labels_seen)
        knn = evaluate_knn(features, self.dataset, labels_seen=self.labels_seen) if measurable else None
        return Snapshot(self.step, self.epoch, knn, geometry, verdict, loss, chance, embeddings, features[self.map_rows])

    def _copy(self) -> State:
        tensors, header = self.state()
        return {name: value.clone() for name, value in tensors.items()}, header

    def _restore_good_state(self, step: int) -> tuple[str, str]:
        """Return to the last good state: the learning rate of the failed step, and the step of that state, for a message."""
        lr = learning_rate(self.config, step, self.total) * self.plateau.factor
        if self._good_state is not None:
            self.restore(*self._good_state)
        return f"{lr:.3g}", f"{self.step:,}"

    def state(self) -> State:
        """What resuming needs, as tensors and as text (the header of a safetensors file).

        Raises:
            DivergedError: a loss that was not yet fetched is not finite.
        """
        self._fetch_losses()
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
        return tensors, {"position": json.dumps(position), "digests": json.dumps(self._digests)}

    def restore(self, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
        """Load what `state` returned.

        Raises:
            KeyError, ValueError, RuntimeError: it does not belong to a run with these settings.
            UserError: other images have been imported under the name of a data set since.
        """
        digests: dict[str, str] = json.loads(header.get("digests", "{}"))  # earlier versions stored none
        for name, digest in self._digests.items():
            if digests.get(name, digest) != digest:
                raise UserError("training.changed_images", name=quoted(name))
        position: dict[str, Any] = json.loads(header["position"])
        method = {n.removeprefix("method."): v for n, v in tensors.items() if n.startswith("method.")}
        self.method.load_state_dict(method)
        optimizer_state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                optimizer_state.setdefault(int(index), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": optimizer_state, "param_groups": groups})
        for weight, moments in self.optimizer.state.items():
            for key, value in moments.items():
                if isinstance(value, Tensor) and value.shape == weight.shape:
                    # A fused optimizer reads memory in order: moments need the memory format of their weights.
                    moments[key] = torch.empty_like(weight, dtype=value.dtype).copy_(value)
        self._sums = dict(position["sums"])
        self.step, self._loss_count = position["step"], position["loss_count"]
        self._last = None if position["last"] is None else tuple(position["last"])
        self.plateau.restore(position["plateau"])
        self._losses = []
        self._good_state, self._unverified_state = self._copy(), None
