"""One training recorded into its run folder: started, saved as it goes, resumed."""

from __future__ import annotations

import dataclasses
import math
import platform
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from pydantic import BaseModel

from cl_core import __version__
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.evaluation.geometry import Geometry
from cl_core.evaluation.knn import KnnResult, evaluate_pixels
from cl_core.runs.config import RunConfig, RunState
from cl_core.runs.events import DivergedError, State, StepDone
from cl_core.runs.folder import Folder, R, ReadOnly, RunFolder, RunRecord, Snapshots, round_floats
from cl_core.training.distributed import World
from cl_core.training.loop import Event, Logged, Snapshot, Training, data_shape

SAVE_EVERY_S = 30.0


def versions() -> dict[str, str]:
    """What a run was made with."""
    return {"contrastive-explorer": __version__, "torch": torch.__version__, "python": platform.python_version()}


E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
C = TypeVar("C", bound=BaseModel)


class Trains(Protocol[E_co]):
    """What a session asks of a training."""

    step: int
    total: int

    def events(self) -> Iterator[E_co]: ...

    def state(self) -> State: ...

    def restore(self, tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None: ...


class Recording(ABC, Generic[E, R]):
    """A training and the folder it is kept in, whatever it learns.

    saving: gives what each save happens within.
    """

    saving: Callable[[], AbstractContextManager[None]] = nullcontext

    def __init__(self, folder: Folder[R], training: Trains[E], record: R, device: torch.device, resume: bool) -> None:
        self._claim = folder.claim()
        self.folder, self.record = folder, folder.read_record() if resume else record
        self._training = training
        self._seconds_before = self.record.seconds
        self._started = time.monotonic()
        if resume:
            self._restore()
        self.record.total_steps = training.total
        self.record.versions = versions()
        self.record.device = device.type
        folder.cut_metrics(training.step if resume else -1)
        self._write_record("running")

    def _restore(self) -> None:
        tensors, header = self.folder.read_resume()
        try:
            self._training.restore(tensors, header)
        except (KeyError, ValueError, RuntimeError):
            raise UserError(f"{self.folder.resume_file} belongs to another run: restore it, or start in a new folder.") from None

    @abstractmethod
    def _record(self, event: E) -> None:
        """Write down what the training said."""

    @abstractmethod
    def _weights(self) -> dict[str, torch.Tensor]:
        """What goes into the model file."""

    def _complete(self) -> None:
        """Measure what is only asked of a finished run."""

    def events(self, save_every_s: float = SAVE_EVERY_S, slow_step_s: float = math.inf) -> Generator[E]:
        """Pass on the training's events after recording them.

        Save every `save_every_s` seconds, and after each step that takes longer than `slow_step_s` seconds.
        Closing this generator after any event saves the run as stopped, its present step done to the end.
        """
        try:
            yield from self._events(save_every_s, slow_step_s)
        finally:
            if self._claim:
                self._claim.release()

    def _events(self, save_every_s: float, slow_step_s: float) -> Generator[E]:
        saved = stepped = time.monotonic()
        completed = False
        events = self._training.events()
        event: E | None = None
        try:
            for event in events:
                self._record(event)
                if isinstance(event, StepDone):
                    now = time.monotonic()
                    if now - saved > save_every_s or now - stepped > slow_step_s:
                        self.save("running")
                        saved = time.monotonic()
                    stepped = time.monotonic()
                yield event
            completed = True
        except GeneratorExit:
            while event is not None and not isinstance(event, StepDone):
                event = next(events)
                self._record(event)
            self.save("stopped")
            raise
        except DivergedError as error:
            self.record.metrics["health"] = {"verdict": "diverged", "words": str(error)}
            self.save("diverged")
            raise
        if completed:
            self._complete()
            self.save("finished")

    def save(self, state: RunState) -> None:
        """Write the state so that training goes on from this step; the resume file alone decides where."""
        with self.saving():
            self.folder.write_resume(*self._training.state())
            self.folder.write_model(self._weights())
            self._write_record(state)

    def _write_record(self, state: RunState) -> None:
        self.record.state = state
        self.record.step = self._training.step
        self.record.seconds = round(self._seconds_before + time.monotonic() - self._started, 1)
        self.folder.write_record(self.record)


class Session(Recording[Event, RunRecord]):
    """A `Training` on images and the folder it is kept in."""

    folder: RunFolder

    def __init__(self, folder: RunFolder, config: RunConfig, device: torch.device, resume: bool, world: World) -> None:
        self.training = Training(config, load_dataset(config.dataset), device, world)
        shape = data_shape(config, self.training.dataset)
        record = RunRecord(config=config, image_size=self.training.size, instances=shape.instances, classes=shape.classes)
        self._kept: Snapshots | None = None
        super().__init__(folder if world.is_main else ReadOnly(folder.path), self.training, record, device, resume)

    def _restore(self) -> None:
        super()._restore()
        # A kill may come between the resume file and run.json: the curves know the last snapshot.
        snapshots = [p for p in self.folder.read_metrics() if p["kind"] == "snapshot" and p["step"] <= self.training.step]
        if snapshots:
            self._take_metrics(snapshots[-1])
        kept = self.folder.read_snapshots()
        if kept is not None:
            count = sum(step <= self.training.step for step in kept.steps)
            self._kept = Snapshots(kept.rows, kept.steps[:count], kept.embeddings[:count])

    def _weights(self) -> dict[str, torch.Tensor]:
        return self.training.method.inference_state()

    def _complete(self) -> None:
        # So that whoever opens the run sees what it had to beat.
        if self.training.dataset.labeled and self.training.world.is_main:
            pixels = evaluate_pixels(self.training.dataset, self.training.size, self.training.labels_seen)
            self.record.metrics["pixels"] = dataclasses.asdict(pixels)

    def _record(self, event: Event) -> None:
        if isinstance(event, Logged):
            self.folder.append_metrics({"kind": "loss", **dataclasses.asdict(event)})
        elif isinstance(event, Snapshot):
            self._keep(event)

    def _keep(self, snapshot: Snapshot) -> None:
        measured: dict[str, Any] = {
            "geometry": dataclasses.asdict(snapshot.geometry),
            "health": {"verdict": snapshot.verdict, "words": snapshot.words},
        }
        if snapshot.knn:
            measured["knn"] = dataclasses.asdict(snapshot.knn)
        self.folder.append_metrics({"kind": "snapshot", "step": snapshot.step, "epoch": snapshot.epoch, **measured})
        self._take_metrics(measured)
        embeddings = snapshot.embeddings.half()[None]
        before = self._kept
        steps = [*(before.steps if before else []), snapshot.step]
        stacked = torch.cat([before.embeddings, embeddings]) if before else embeddings
        self._kept = Snapshots(self.training.probe, steps, stacked)
        self.folder.write_snapshots(self._kept)

    def _take_metrics(self, point: dict[str, Any]) -> None:
        """The metrics of the run are those of its last snapshot, a line of the curves."""
        measured: dict[str, Any] = {key: point[key] for key in ("knn", "geometry", "health") if key in point}
        measured["geometry_protocol"] = Geometry(**point["geometry"]).protocol()
        if "knn" in point:
            measured["protocol"] = KnnResult(**point["knn"]).protocol()
        self.record.metrics = round_floats(measured) | {"at": "last step"}


def start(path: Path, settings: dict[str, Any], device: torch.device, world: World | None = None) -> Session | None:
    """Begin a run in `path`, or go on with the unfinished one there; None if it is finished.

    Args:
        settings: those the user gave; where the folder holds a run they must agree with it.
        world: the processes that train together; the first of them writes.

    Raises:
        UserError: the folder holds something else, or a run with other settings.
        ValidationError: a setting is out of range.
    """
    world = world or World()
    begun = begin(RunFolder(path), RunConfig, settings)
    world.barrier()  # until all have looked: then the first may write
    return Session(RunFolder(path), begun[0], device, resume=begun[1], world=world) if begun else None


def begin(folder: Folder[Any], model: type[C], settings: dict[str, Any]) -> tuple[C, bool] | None:
    """The settings of the run that `folder` will hold or holds, and whether it is resumed; None if it is finished.

    Raises: as `start`.
    """
    path = folder.path
    if not folder.exists():
        if not folder.is_new():
            raise UserError(f"{path} exists and is not a run: give a new folder, or one that train --run wrote.")
        return model.model_validate(settings), False
    record = folder.read_record()
    asked = model.model_validate(merge(record.config.model_dump(), settings))
    if asked != record.config:
        old, new = record.config.model_dump(), asked.model_dump()
        name = next(key for key in old if old[key] != new[key])
        raise UserError(
            f"The run in {path} was started with {name} = {old[name]}, not {new[name]}: choose another folder to change it."
        )
    if record.state == "finished":
        return None
    if record.state == "diverged":
        raise DivergedError(
            f"The run in {path} diverged with lr {record.config.lr:g}: choose a new folder and a lower lr; "
            f"its curves and its last good state, after step {record.step:,}, stay where they are."
        )
    if record.step > 0 and not folder.resume_file.is_file():
        raise UserError(
            f"{folder.resume_file} is missing, so this run cannot go on from step {record.step:,}: "
            "restore it, or start in a new folder."
        )
    return record.config, folder.resume_file.is_file()


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return base | {k: merge(base[k], v) if isinstance(v, dict) and k in base else v for k, v in changes.items()}
