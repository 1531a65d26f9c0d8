"""The state of a training run at one moment, and how the page shows it."""

from __future__ import annotations

import dataclasses
import html
from pathlib import Path
from typing import Any

from cl_core.errors import UserError, quoted
from cl_core.runs.config import RunConfig
from cl_core.runs.folder import COMPARISONS, RunFolder
from cl_core.runs.options import write_settings
from cl_core.runs.record import RunRecord
from cl_core.system.paths import trained_dir
from cl_core.text import text
from cl_core.training.job import end_of_log
from cl_core.training.jobs import Jobs, waiting_settings
from cl_core.ui.diagnosis import diagnosis
from cl_core.ui.explanation import emphasized
from cl_core.ui.progress import progress_bar, result, time_left
from cl_core.ui.tabs.curves import epochs_text, health_of

MAX_NAME = 200  # bytes


def folder_of(name: str | None) -> RunFolder:
    """Folder of the run `name` of this app.

    Raises:
        UserError: `name` is not a name of a run.
    """
    plain = name and "\0" not in name and len(name.encode("utf-8", "replace")) <= MAX_NAME and Path(name).name == name
    if not name or not plain or name == COMPARISONS or name.startswith("."):
        raise UserError("train.gone", name=quoted(name or ""))
    return RunFolder(trained_dir() / name)


def numbered_folder(root: Path, stem: str) -> Path:
    """A new folder below `root`, called `stem` and the first free number.

    Raises:
        UserError: it cannot be made.
    """
    number = 0
    while True:
        number += 1
        path = root / f"{stem}-{number}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError("train.no_folder", folder=root, reason=error.strerror) from None
        return path


@dataclasses.dataclass(frozen=True)
class RunStatus:
    """The state of a run at one moment, read once.

    here: this app trains it now. is_training: some program trains it, such as the command line. problem: the error that ended it,
    and log the last lines its process wrote. place: among the runs that wait here, from 1, of `waiting`; 0 if it does not wait.
    planned: it has not started yet, but its settings are stored.
    """

    name: str
    record: RunRecord | None = None
    metrics: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    here: bool = False
    is_training: bool = False
    stopping: bool = False
    problem: str = ""
    log: str = ""
    place: int = 0
    waiting: int = 0
    planned: bool = False


def read_status(jobs: Jobs, name: str) -> RunStatus:
    """Read the run `name`; an empty name is no run.

    Of a run whose files are damaged, `problem` names the file.

    Raises: as `folder_of`.
    """
    if not name:
        return RunStatus("")
    folder = folder_of(name)
    # Before the files: a run that ends in between is read again.
    state = jobs.state_of(folder.path)
    is_training = state.running or folder.is_claimed()
    record, metrics, damage = None, [], ""
    try:
        record = folder.read_record() if folder.exists() else None
        metrics = folder.read_metrics() if record else []
    except UserError as error:
        damage = str(error)
    return RunStatus(
        name,
        record,
        metrics,
        state.running,
        is_training,
        state.stopping,
        state.problem or damage,
        end_of_log(folder.path) if state.problem else "",
        state.place,
        state.waiting,
        record is None and waiting_settings(folder.path) is not None,
    )


def status(run: RunStatus, with_log: bool = False) -> str:
    """Progress and health of a run, as HTML.

    with_log: show what the process of a run that failed has written; it has paths of this machine.
    """
    name, record = run.name, run.record
    if not name:
        return f"<div class='no-run'>{result(text('train.none'))}</div>"  # the menu of runs and dead buttons are hidden
    if run.place:
        return result(text("train.waiting", name=name, place=run.place, waiting=run.waiting))
    if run.problem:
        return result(run.problem) + (_log(run.log) if with_log and run.log else "")
    if run.is_training:
        return _running(run)
    if run.planned:
        return result(text("train.planned", name=name))
    if record is None:
        return result(text("train.gone", name=name))
    minutes = f"{record.seconds / 60:.1f}"
    epoch = f"{record.config.epochs * record.step / max(1, record.total_steps):.1f}"
    key = record.state if record.state in ("finished", "diverged", "stopped") else "interrupted"
    epochs = epochs_text(record.config.epochs) if key == "finished" else record.config.epochs
    message = text(f"train.state.{key}", name=name, epoch=epoch, epochs=epochs, minutes=minutes)
    if record.state == "finished" and {"knn", "pixels"} <= record.metrics.keys():
        accuracies = {key: f"{record.metrics[key]['accuracy']:.1%}" for key in ("knn", "pixels")}
        message += " " + text("train.knn", **accuracies)
    return result(message) + _health(run.metrics, record.state == "finished") + _command(name, record.config)


def _running(run: RunStatus) -> str:
    if run.stopping:
        return progress_bar(None, text("train.stopping"))
    record, losses = run.record, [point for point in run.metrics if point["kind"] == "loss"]
    if record is None or not losses:
        return progress_bar(None, text("train.starting"))
    last, batch = losses[-1], min(record.config.batch_size, record.instances)
    left = (record.total_steps - last["step"]) * batch / max(last["images_per_s"], 1e-9)
    numbers = {key: f"{last[key]:.2f}" for key in ("loss", "chance")}
    message = text("train.running", epoch=f"{last['epoch']:.1f}", epochs=record.config.epochs, **numbers) + time_left(left)
    return (
        progress_bar(last["step"] / max(1, record.total_steps), message)
        + _health(run.metrics)
        + _diagnosis(run)
        + _command(run.name, record.config)
    )


def _health(metrics: list[dict[str, Any]], finished: bool = False) -> str:
    snapshots = [point for point in metrics if point["kind"] == "snapshot"]
    if not snapshots or not snapshots[-1]["step"]:  # the first snapshot is before training
        return ""
    return f"<p class='work-health'>{emphasized(health_of(snapshots[-1], finished))}</p>"


def _diagnosis(run: RunStatus) -> str:
    assert run.record is not None
    said = diagnosis(run.metrics, run.record.config, run.record.total_steps)
    return f"<p class='work-diagnosis'>{emphasized(said)}</p>" if said else ""


def _log(lines: str) -> str:
    label = html.escape(text("train.log"))
    return f"<details class='work-command'><summary>{label}</summary><pre>{html.escape(lines)}</pre></details>"


def _command(name: str, config: RunConfig) -> str:
    command = f"python -m cl_core train --run runs/{name} {write_settings(config)}"
    label = html.escape(text("train.command"))
    return f"<details class='work-command'><summary>{label}</summary><code>{html.escape(command)}</code></details>"
