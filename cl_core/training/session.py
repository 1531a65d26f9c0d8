"""One training recorded into its run folder: started, saved as it goes, resumed."""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch

from cl_core import __version__
from cl_core.data.catalog import load_dataset
from cl_core.errors import UserError
from cl_core.evaluation.knn import evaluate_pixels
from cl_core.training.config import RunConfig, RunState
from cl_core.training.loop import DivergedError, Event, Logged, Snapshot, StepDone, Training, data_shape
from cl_core.training.run_folder import RunFolder, RunRecord, Snapshots

SAVE_EVERY_S = 30.0


def versions() -> dict[str, str]:
    """What a run was made with."""
    return {"contrastive-explorer": __version__, "torch": torch.__version__, "python": platform.python_version()}


class Session:
    """A `Training` and the folder it is kept in."""

    def __init__(self, folder: RunFolder, config: RunConfig, device: torch.device, resume: bool) -> None:
        self.folder = folder
        self.training = Training(config, load_dataset(config.dataset), device)
        shape = data_shape(config, self.training.dataset)
        self.record = RunRecord(config=config, image_size=self.training.size, instances=shape.instances, classes=shape.classes)
        self._kept: Snapshots | None = None
        self._seconds_before = 0.0
        self._started = time.monotonic()
        if resume:
            self._restore()
        self.record.total_steps = self.training.total
        self.record.versions = versions()
        self.record.device = device.type
        folder.cut_metrics(self.training.step if resume else -1)
        self._write_record("running")

    def _restore(self) -> None:
        self.record = self.folder.read_record()
        tensors, header = self.folder.read_resume()
        try:
            self.training.restore(tensors, header)
        except (KeyError, ValueError, RuntimeError):
            raise UserError(f"{self.folder.resume_file} belongs to another run: restore it, or start in a new folder.") from None
        self._seconds_before = self.record.seconds
        kept = self.folder.read_snapshots()
        if kept is not None:
            count = sum(step <= self.training.step for step in kept.steps)
            self._kept = Snapshots(kept.rows, kept.steps[:count], kept.embeddings[:count])

    def events(self, save_every_s: float = SAVE_EVERY_S) -> Generator[Event]:
        """Pass on the training's events after recording them.

        Closing this generator after any event saves the run as stopped; it resumes at that step.
        """
        saved = time.monotonic()
        completed = False
        try:
            for event in self.training.events():
                if isinstance(event, Logged):
                    self.folder.append_metrics({"kind": "loss", **dataclasses.asdict(event)})
                elif isinstance(event, Snapshot):
                    self._keep(event)
                elif isinstance(event, StepDone) and time.monotonic() - saved > save_every_s:
                    self.save("running")
                    saved = time.monotonic()
                yield event
            completed = True
        except GeneratorExit:
            self.save("stopped")
            raise
        except DivergedError as error:
            self.record.figures["health"] = {"verdict": "diverged", "words": str(error)}
            self.save("diverged")
            raise
        if completed:
            # So that whoever opens the run sees what it had to beat.
            pixels = evaluate_pixels(self.training.dataset, self.training.size, self.training.labels_seen)
            self.record.figures["pixels"] = dataclasses.asdict(pixels)
            self.save("finished")

    def _keep(self, snapshot: Snapshot) -> None:
        measured: dict[str, Any] = {
            "knn": dataclasses.asdict(snapshot.knn),
            "geometry": dataclasses.asdict(snapshot.geometry),
            "health": {"verdict": snapshot.verdict, "words": snapshot.words},
        }
        self.folder.append_metrics({"kind": "snapshot", "step": snapshot.step, "epoch": snapshot.epoch, **measured})
        protocols = {"protocol": snapshot.knn.protocol(), "geometry_protocol": snapshot.geometry.protocol()}
        self.record.figures = measured | protocols | {"at": "last step"}
        embeddings = snapshot.embeddings.half()[None]
        before = self._kept
        steps = [*(before.steps if before else []), snapshot.step]
        stacked = torch.cat([before.embeddings, embeddings]) if before else embeddings
        self._kept = Snapshots(self.training.probe, steps, stacked)
        self.folder.write_snapshots(self._kept)

    def save(self, state: RunState) -> None:
        """Write the state so that training goes on from this step; the resume file alone decides where."""
        self.folder.write_resume(*self.training.state())
        self.folder.write_model(self.training.method.shown_state())
        self._write_record(state)

    def _write_record(self, state: RunState) -> None:
        self.record.state = state
        self.record.step = self.training.step
        self.record.seconds = round(self._seconds_before + time.monotonic() - self._started, 1)
        self.folder.write_record(self.record)


def start(path: Path, settings: dict[str, Any], device: torch.device) -> Session | None:
    """Begin a run in `path`, or go on with the unfinished one there; None if it is finished.

    Args:
        settings: those the user gave; where the folder holds a run they must agree with it.

    Raises:
        UserError: the folder holds something else, or a run with other settings.
        ValidationError: a setting is out of range.
    """
    folder = RunFolder(path)
    if not folder.exists():
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UserError(f"{path} exists and is not a run: give a new folder, or one that train --run wrote.")
        return Session(folder, RunConfig.model_validate(settings), device, resume=False)
    record = folder.read_record()
    asked = RunConfig.model_validate(merge(record.config.model_dump(), settings))
    if asked != record.config:
        old, new = record.config.model_dump(), asked.model_dump()
        name = next(key for key in old if old[key] != new[key])
        raise UserError(
            f"The run in {path} was started with {name} = {old[name]}, not {new[name]}: choose another folder to change it."
        )
    if record.state == "finished":
        return None
    if record.state == "diverged":
        raise UserError(
            f"The run in {path} diverged at step {record.step + 1:,} with lr {record.config.lr:g}: "
            "choose a new folder and a lower lr; its curves and last good state stay where they are."
        )
    return Session(folder, record.config, device, resume=folder.resume_file.is_file())


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return base | {k: merge(base[k], v) if isinstance(v, dict) and k in base else v for k, v in changes.items()}
