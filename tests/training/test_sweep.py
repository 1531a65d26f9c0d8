"""Sweeps: validated as a whole, resumable, reported as a table and a heat map."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cl_core.errors import UserError
from cl_core.runs.folder import RunFolder
from cl_core.training.loop import StepDone
from cl_core.training.sweep import plan, result, run_cell

pytestmark = pytest.mark.slow

Command = Callable[..., subprocess.CompletedProcess[str]]
SETTINGS = {"dataset": "digits", "image_size": 16, "encoder": "mlp", "epochs": 1, "snapshots": 2, "batch_size": 256}
OPTIONS = ["--dataset", "digits", "--image-size", 16, "--encoder", "mlp", "--epochs", 1, "--snapshots", 2]


def test_every_combination_is_validated_before_training(tmp_path: Path) -> None:
    cells = plan(tmp_path, {"lr": ["1e-3", "1e-2"], "batch_size": ["64", "128"]}, SETTINGS)
    assert [cell.name for cell in cells] == [
        "lr=0.001,batch_size=64",
        "lr=0.001,batch_size=128",
        "lr=0.01,batch_size=64",
        "lr=0.01,batch_size=128",
    ]
    by_method = plan(tmp_path, {"method": ["simclr", "moco"]}, SETTINGS)
    assert [cell.name for cell in by_method] == ["method=simclr", "method=moco"]
    with pytest.raises(ValueError, match="greater than 0"):
        plan(tmp_path, {"lr": ["1e-3", "0"]}, SETTINGS)
    with pytest.raises(UserError, match="given twice"):
        plan(tmp_path, {"lr": ["1e-3", "0.001"]}, SETTINGS)
    assert not list(tmp_path.iterdir())


def test_encoders_with_a_slash_have_folders_of_their_own(tmp_path: Path) -> None:
    cells = plan(tmp_path, {"encoder": ["timm/resnet18/64", "timm/resnet34/64", "cnn"]}, {})
    assert [cell.folder.parent for cell in cells] == [tmp_path] * 3
    assert [cell.name for cell in cells] == ["encoder=timm-resnet18-64", "encoder=timm-resnet34-64", "encoder=cnn"]


def test_a_stopped_cell_resumes(tmp_path: Path) -> None:
    cell = plan(tmp_path, {"lr": [1e-3]}, SETTINGS)[0]
    assert result(cell).state == "not started"
    events = run_cell(cell, SETTINGS, torch.device("cpu"))
    for event in events:
        if isinstance(event, StepDone) and event.step == 2:
            events.close()
    assert result(cell).state == "stopped"
    steps = [e.step for e in run_cell(cell, SETTINGS, torch.device("cpu")) if isinstance(e, StepDone)]
    assert steps[0] == 3
    finished = result(cell)
    assert finished.state == "finished"
    assert finished.accuracy is not None
    assert not list(run_cell(cell, SETTINGS, torch.device("cpu")))


def test_a_cell_that_diverges_does_not_stop_the_others(tmp_path: Path) -> None:
    settings = SETTINGS | {"optimizer": "sgd", "method": "cross-entropy", "warmup": 0, "epochs": 4}
    cells = plan(tmp_path, {"lr": [10_000, 0.1]}, settings)
    for cell in cells:
        list(run_cell(cell, settings, torch.device("cpu")))
    assert [result(cell).state for cell in cells] == ["diverged", "finished"]
    assert result(cells[0]).accuracy is None
    assert not list(run_cell(cells[0], settings, torch.device("cpu")))
    with pytest.raises(UserError, match="started with epochs = 4, not 5"):
        list(run_cell(cells[0], settings | {"epochs": 5}, torch.device("cpu")))


def test_the_command(command: Command, tmp_path: Path) -> None:
    done = command("sweep", "--lr", "1e-3", "1e-2", "--batch-size", 128, 256, *OPTIONS, "--run", "s", "--json")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    assert [(row["batch_size"], row["lr"]) for row in table] == [(128, 0.001), (128, 0.01), (256, 0.001), (256, 0.01)]
    assert all(row["state"] == "finished" and 0 < row["knn"] <= 1 for row in table)
    assert json.loads((tmp_path / "s" / "sweep.json").read_text()) == table
    page = (tmp_path / "s" / "sweep.html").read_text()
    assert 'src="plotly.min.js"' in page
    assert (tmp_path / "s" / "plotly.min.js").stat().st_size > 1_000_000
    run = RunFolder(tmp_path / "s" / table[0]["run"]).read_record()
    assert (run.config.batch_size, run.config.lr) == (128, 0.001)
    again = command("sweep", "--lr", "1e-3", "1e-2", "--batch-size", 128, 256, *OPTIONS, "--run", "s")
    assert again.returncode == 0
    assert "<- best" in again.stdout


def test_accuracies_of_two_protocols_have_two_tables(command: Command, tmp_path: Path) -> None:
    """With labels seen, only held-out images are queries."""
    done = command("sweep", "--method", "simclr", "supcon", *OPTIONS, "--dataset", "emoji", "--run", "s")
    assert done.returncode == 0, done.stderr
    tables = [table.splitlines() for table in done.stdout.split("kNN: ")[1:]]
    assert [table[0].split()[1] for table in tables] == ["1,911", "339"], done.stdout
    assert [table[2].split()[0] for table in tables] == ["simclr", "supcon"]
    assert all("<- best" in table[2] for table in tables)
    assert not (tmp_path / "s" / "sweep.html").exists(), "one color scale would compare them"


def test_without_a_swept_setting(command: Command) -> None:
    done = command("sweep", "--lr", "1e-3", "--run", "s")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: A sweep needs a setting with several values, for example --lr 1e-3 3e-3.\n"


def test_the_experiment_command(command: Command, tmp_path: Path) -> None:
    done = command("experiment", "iris", "--seeds", 1, "--epochs", 20, "--out", "e")
    assert done.returncode == 0, done.stderr
    assert "on the trained encoder" in done.stdout
    assert "91.0%" in done.stdout
    answer = json.loads((tmp_path / "e" / "result.json").read_text())
    assert len(answer["trained"][0]) == len(answer["random"][0]) == 10
    assert {file.name for file in (tmp_path / "e").iterdir()} == {
        "settings.json",
        "result.json",
        "trained.html",
        "random.html",
        "plotly.min.js",
    }
