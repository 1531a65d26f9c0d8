"""Runs, imported data sets, options and settings of earlier versions."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cl_core.data.imported import imported_dir, read_imported
from cl_core.errors import UserError
from cl_core.runs import upgrade
from cl_core.runs.config import RunConfig
from cl_core.runs.folder import RunFolder
from cl_core.runs.options import add_settings, given_settings
from cl_core.runs.store import open_run
from cl_core.runs.upgrade import RENAMED_SETTINGS, upgrade_metrics, upgrade_record
from cl_core.words.folder import WordFolder, open_words
from tests.conftest import ROOT

FIXTURES = ROOT / "tests" / "fixtures" / "format_1"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / "images", tmp_path / "old"))


def test_run_of_format_1_opens(old_run: Path) -> None:
    written = json.loads((old_run / "run.json").read_text())
    assert (written["format"], written["kind"]) == (1, "pictures")
    run = open_run(RunFolder(old_run))
    augment = run.record.config.augment
    assert (augment.flip_prob, augment.color_jitter_prob, augment.grayscale_prob, augment.blur_prob) == (0.1, 0.7, 0.3, 0.2)
    assert (run.record.format, run.record.kind, run.record.step) == (2, "images", 703)
    assert run.record.metrics["geometry"]["images"] == written["figures"]["geometry"]["pictures"]
    assert run.record.metrics["knn"]["accuracy"] == written["figures"]["knn"]["accuracy"]
    points = run.folder.read_metrics()
    assert all("images_per_s" in point for point in points if point["kind"] == "loss")
    assert run.method(  # with the key encoder and the queue of MoCo
        [torch.rand(4, 3, 8, 8)] * 2, torch.zeros(4, dtype=torch.long), torch.arange(4), torch.Generator().manual_seed(0)
    ).loss.isfinite()


@pytest.mark.slow
def test_run_of_format_1_resumes(old_run: Path, command: Command) -> None:
    before = RunFolder(old_run).read_metrics()
    done = command("train", "--run", old_run)
    assert done.returncode == 0, done.stderr
    folder = RunFolder(old_run)
    record = folder.read_record()
    assert (record.state, record.step) == ("finished", 1320)
    written = json.loads((old_run / "run.json").read_text())
    assert written["format"] == 2 and "figures" not in written and written["config"]["views"] == 2
    points = folder.read_metrics()
    assert points[: len(before) - 1] == before[:-1]
    losses = [point["loss"] for point in points if point["kind"] == "loss"]
    assert losses[-1] < losses[len(losses) // 2]
    assert open_run(folder).record.metrics["knn"]["accuracy"] > 0.9


def test_run_on_words_of_format_1_opens() -> None:
    run = open_words(WordFolder(FIXTURES / "words"))
    assert run.record.format == 2
    assert run.vectors.center.shape == (len(run.vocabulary.words), 8)


def test_data_set_imported_by_an_earlier_version_opens(own_cache: Path) -> None:
    shutil.copytree(FIXTURES / "collection", imported_dir() / "small")
    data = read_imported("small")
    assert (data.license, len(data), data.classes) == ("CC0", 6, ["cat", "dog"])


def test_old_options_work_but_are_not_listed() -> None:
    parser = argparse.ArgumentParser()
    add_settings(parser, RunConfig)
    for old, new in RENAMED_SETTINGS.items():
        value = "0.25"
        given = given_settings(parser.parse_args([f"--{old}".replace("_", "-"), value]), RunConfig)
        assert given == {"augment": {new.removeprefix("augment."): value}}
        assert f"--{old}".replace("_", "-") + " " not in parser.format_help()
        assert f"--{new}".replace("_", "-") + " " in parser.format_help()


def test_current_names_are_unchanged() -> None:
    record = {"format": 2, "kind": "images", "config": {"augment": {"flip_prob": 0.5}}, "metrics": {"knn": {"accuracy": 0.5}}}
    assert upgrade_record(record) == record
    assert upgrade_metrics(record["metrics"]) == record["metrics"]


def test_a_setting_of_a_later_version_gets_its_former_value(old_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of versions without the setting still open; others need it."""
    for name in ("projection_hidden", "augment.hue"):
        content = json.loads((old_run / "run.json").read_text())
        *path, last = name.split(".")
        inner = content["config"] if not path else content["config"]["views"]
        value = inner.pop(last)
        (old_run / "run.json").write_text(json.dumps(content))
        with pytest.raises(UserError, match=rf"config\.{name} is missing"):
            RunFolder(old_run).read_record()
        monkeypatch.setitem(upgrade.ADDED_SETTINGS, name, value)
        RunFolder(old_run).read_record()
