"""Recording a training run into its folder: start, save, resume."""

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

from cl_core.data.registry import load_dataset
from cl_core.errors import UserError, is_out_of_memory, quoted
from cl_core.evaluation.geometry import Geometry
from cl_core.evaluation.knn import KnnResult, evaluate_pixels, has_split
from cl_core.runs.config import RunConfig, RunState
from cl_core.runs.events import DivergedError, State, StepDone
from cl_core.runs.folder import Folder, ReadOnly, RunFolder, Snapshots, round_floats
from cl_core.runs.record import R, RunRecord
from cl_core.system.version import __version__
from cl_core.text import DEFAULT_LANGUAGE, using_language
from cl_core.training.distributed import World
from cl_core.training.loop import Checkup, Event, Logged, Snapshot, Training
from cl_core.training.setup import data_shape

SAVE_EVERY_S = 30.0
MAX_FEATURES = 500_000_000  # bytes of the features over time; without the last ones there is no map over time


def versions() -> dict[str, str]:
    """Versions of the software that makes a run."""
    return {"contrastive-explorer": __version__, "torch": torch.__version__, "python": platform.python_version()}


E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
C = TypeVar("C", bound=BaseModel)


class TrainingLoop(Protocol[E_co]):
    """What a recorder needs of a training loop."""

    step: int
    total: int

    def events(self) -> Iterator[E_co]: ...

    def state(self) -> State: ...

    def restore(self, tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None: ...


class Recorder(ABC, Generic[E, R]):
    """A training loop and the folder that stores its run.

    saving: gives the context manager around each save.
    """

    saving: Callable[[], AbstractContextManager[None]] = nullcontext

    def __init__(self, folder: Folder[R], training: TrainingLoop[E], record: R, device: torch.device, resume: bool) -> None:
        self._claim = folder.claim()
        try:
            if self._claim and not resume and folder.resume_file.is_file():  # written since the folder was looked at
                raise UserError("training.started_meanwhile", path=str(folder.path))
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
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        if self._claim:
            self._claim.release()

    def _restore(self) -> None:
        tensors, header = self.folder.read_resume()
        try:
            self._training.restore(tensors, header)
        except (KeyError, ValueError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            raise UserError("training.foreign_resume_file", file=str(self.folder.resume_file)) from None

    @abstractmethod
    def _record(self, event: E) -> None:
        """Write an event to the folder."""

    @abstractmethod
    def _weights(self) -> dict[str, torch.Tensor]:
        """The weights of the model file."""

    def _complete(self) -> None:
        """Measure what only a finished run stores."""

    def events(self, save_every_s: float = SAVE_EVERY_S, slow_step_s: float = math.inf) -> Generator[E]:
        """The events of the training loop, each recorded before it is yielded.

        The run is saved every `save_every_s` seconds, and after each step that takes longer than `slow_step_s` seconds.
        Closing this generator completes the current step and saves the run as stopped.
        """
        try:
            yield from self._events(save_every_s, slow_step_s)
        finally:
            self._release()

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
            try:
                while event is not None and not isinstance(event, StepDone):
                    event = next(events)
                    self._record(event)
                self.save("stopped")
            except DivergedError as error:  # of losses that were not fetched yet
                self._save_diverged(error)
            raise
        except DivergedError as error:
            self._save_diverged(error)
            raise
        if completed:
            self._complete()
            self.save("finished")

    def _save_diverged(self, error: DivergedError) -> None:
        with using_language(DEFAULT_LANGUAGE):
            self.record.metrics["health"] = {"verdict": "diverged", "sentence": str(error)}
        self.save("diverged")

    def save(self, state: RunState) -> None:
        """Write the state, so that training can resume from this step; the resume file alone determines the step."""
        with self.saving():
            self.folder.write_resume(*self._training.state())
            self.folder.write_model(self._weights())
            self._write_record(state)

    def _write_record(self, state: RunState) -> None:
        self.record.state = state
        self.record.step = self._training.step
        self.record.seconds = round(self._seconds_before + time.monotonic() - self._started, 1)
        self.folder.write_record(self.record)


class ImageRecorder(Recorder[Event, RunRecord]):
    """A `Training` on images and the folder that stores its run."""

    folder: RunFolder

    def __init__(self, folder: RunFolder, config: RunConfig, device: torch.device, resume: bool, world: World) -> None:
        self.training = Training(config, load_dataset(config.dataset), device, world)
        shape = data_shape(config, self.training.dataset)
        record = RunRecord(config=config, image_size=self.training.size, instances=shape.instances, classes=shape.classes)
        self._snapshots: Snapshots | None = None
        self._features: Snapshots | None = None
        super().__init__(folder if world.is_main else ReadOnly(folder.path), self.training, record, device, resume)

    def _restore(self) -> None:
        super()._restore()
        # The process may have been killed between writing the resume file and run.json: the curves have the last snapshot.
        snapshots = [p for p in self.folder.read_metrics() if p["kind"] == "snapshot" and p["step"] <= self.training.step]
        if snapshots:
            self._take_metrics(snapshots[-1])
        stored, features = self.folder.read_snapshots(), self.folder.read_snapshots(self.folder.features_file)
        if stored and torch.equal(stored.rows, self.training.monitor_rows):  # else an earlier version chose other images
            self._snapshots = stored.until(self.training.step)
        self._features = features and features.until(self.training.step)

    def _weights(self) -> dict[str, torch.Tensor]:
        return self.training.method.inference_state()

    def _complete(self) -> None:
        # The baseline that is shown beside the run.
        if has_split(self.training.dataset, self.training.labels_seen) and self.training.world.is_main:
            pixels = evaluate_pixels(self.training.dataset, self.training.size, self.training.labels_seen)
            self.record.metrics["pixels"] = dataclasses.asdict(pixels)

    def _record(self, event: Event) -> None:
        if isinstance(event, Logged):
            self.folder.append_metrics({"kind": "loss", **dataclasses.asdict(event)})
        elif isinstance(event, Snapshot):
            self._store(event)
        elif isinstance(event, Checkup):
            self.folder.append_metrics({"kind": "checkup", **dataclasses.asdict(event)})

    def _store(self, snapshot: Snapshot) -> None:
        with using_language(DEFAULT_LANGUAGE):  # run.json is in English
            health = {"verdict": snapshot.verdict, "sentence": snapshot.sentence}
        measured: dict[str, Any] = {"geometry": dataclasses.asdict(snapshot.geometry), "health": health}
        if snapshot.knn:
            measured["knn"] = dataclasses.asdict(snapshot.knn)
        self.folder.append_metrics({"kind": "snapshot", "step": snapshot.step, "epoch": snapshot.epoch, **measured})
        self._take_metrics(measured)
        training, step = self.training, snapshot.step
        self._snapshots = Snapshots.appended(self._snapshots, training.monitor_rows, step, snapshot.embeddings)
        self.folder.write_snapshots(self._snapshots)
        stored = 0 if self._features is None else self._features.embeddings.nbytes
        if training.world.is_main and stored + 2 * snapshot.features.numel() <= MAX_FEATURES:
            self._features = Snapshots.appended(self._features, training.map_rows, step, snapshot.features)
            self.folder.write_snapshots(self._features, self.folder.features_file)

    def _take_metrics(self, point: dict[str, Any]) -> None:
        """Set the metrics of the run to those of a snapshot, which is a line of `metrics.jsonl`."""
        measured: dict[str, Any] = {key: point[key] for key in ("knn", "geometry", "health") if key in point}
        with using_language(DEFAULT_LANGUAGE):
            measured["geometry_protocol"] = Geometry(**point["geometry"]).protocol()
            if "knn" in point:
                measured["protocol"] = KnnResult(**point["knn"]).protocol()
        self.record.metrics = round_floats(measured) | {"at": "last step"}


class BriefRecorder(ImageRecorder):
    """Measures nothing at the end: the caller does."""

    def _complete(self) -> None:
        pass


def start(path: Path, settings: dict[str, Any], device: torch.device, world: World | None = None) -> ImageRecorder | None:
    """Start a run in `path`, or resume the unfinished one there; None if it is finished.

    Args:
        settings: the given settings; those of a run in the folder must be the same.
        world: the processes that train together; the main one writes.

    Raises:
        UserError: the folder holds something else, or a run with other settings, or it cannot be resumed.
        ValidationError: a setting is out of range.
    """
    world = world or World()
    begun = resolve_settings(RunFolder(path), RunConfig, settings)
    world.barrier()  # all processes read the folder before the main one writes
    return ImageRecorder(RunFolder(path), begun[0], device, resume=begun[1], world=world) if begun else None


def resolve_settings(folder: Folder[Any], model: type[C], settings: dict[str, Any]) -> tuple[C, bool] | None:
    """The settings of the run that `folder` holds or will hold, and whether to resume it; None if it is finished.

    Raises: as `start`.
    """
    path = folder.path
    if not folder.exists():
        if not folder.is_new():
            raise UserError("training.not_a_run", path=str(path))
        return model.model_validate(settings), False
    record = folder.read_record()
    wanted = model.model_validate(merge(record.config.model_dump(), settings))
    if wanted != record.config:
        old, new = record.config.model_dump(), wanted.model_dump()
        name = next(key for key in old if old[key] != new[key])
        values = {"old": quoted(old[name]), "new": quoted(new[name])}
        raise UserError("training.other_settings", path=str(path), name=name, **values)
    if record.state == "finished":
        return None
    if record.state == "diverged":
        lr, step = f"{record.config.lr:g}", f"{record.step:,}"
        raise DivergedError("training.diverged_before", path=str(path), lr=lr, step=step)
    if record.step > 0 and not folder.resume_file.is_file():
        raise UserError("training.no_resume_file", file=str(folder.resume_file), step=f"{record.step:,}")
    return record.config, folder.resume_file.is_file()


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Settings with some of them changed, nested ones included."""
    return base | {k: merge(base[k], v) if isinstance(v, dict) and k in base else v for k, v in changes.items()}
