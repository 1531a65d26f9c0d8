"""Missing, damaged and foreign files of run folders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from PIL import Image

from cl_core.errors import UserError
from cl_core.runs.folder import RunFolder
from cl_core.runs.store import open_run
from cl_core.training.recorder import start
from tests.conftest import ROOT, SMALL


@pytest.fixture
def copy(small_run: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(small_run, tmp_path / "copy")))


def test_complete_run_opens(copy: RunFolder) -> None:
    run = open_run(copy)
    assert run.record.state == "finished"
    assert run.record.config.dataset == "digits"
    assert not run.method.training
    assert run.method.encoder(torch.rand(2, 3, 16, 16)).shape == (2, run.method.encoder.dim)


def test_run_opens_without_metrics_and_snapshots(copy: RunFolder) -> None:
    for file in (copy.metrics_file, copy.snapshots_file, copy.resume_file):
        file.unlink()
    open_run(copy)
    assert copy.read_metrics() == []
    assert copy.read_snapshots() is None


def test_missing_files(copy: RunFolder) -> None:
    copy.model_file.unlink()
    with pytest.raises(UserError, match=r"model\.safetensors is missing"):
        open_run(copy)
    copy.record_file.unlink()
    with pytest.raises(UserError, match=r"is not a run: it has no run\.json"):
        open_run(copy)


@pytest.mark.parametrize("keep", [0, 4, 200, 100_000])
def test_truncated_model(copy: RunFolder, keep: int) -> None:
    copy.model_file.write_bytes(copy.model_file.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"model\.safetensors is cut off or not a safetensors file"):
        open_run(copy)


@pytest.mark.parametrize("content", ["", '{"config": ', "[]", '{"name": "react", "version": "1.0"}', "\x00\x01"])
def test_damaged_or_foreign_record(copy: RunFolder, content: str) -> None:
    copy.record_file.write_text(content)
    with pytest.raises(UserError, match=r"run\.json is damaged or was written by another program"):
        open_run(copy)


def test_record_with_unknown_encoder(copy: RunFolder) -> None:
    record = json.loads(copy.record_file.read_text())
    record["config"]["encoder"] = "vgg"
    copy.record_file.write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"config\.encoder: must be one of small-resnet"):
        open_run(copy)


def test_model_of_another_run(copy: RunFolder) -> None:
    copy.write_model({"weight": torch.zeros(3, 3)})
    with pytest.raises(UserError, match="does not fit the settings"):
        open_run(copy)


def test_pickle_instead_of_safetensors(copy: RunFolder) -> None:
    torch.save({"weight": torch.zeros(3)}, copy.model_file)
    with pytest.raises(UserError, match="not a safetensors file"):
        open_run(copy)


def test_incomplete_last_line_is_skipped(copy: RunFolder) -> None:
    whole = copy.read_metrics()
    copy.metrics_file.write_bytes(copy.metrics_file.read_bytes()[:-20])
    assert copy.read_metrics() == whole[:-1]


def test_a_damaged_line_before_the_last_is_an_error_and_no_later_point_is_lost(copy: RunFolder) -> None:
    lines = copy.metrics_file.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:10] + b"\n"
    copy.metrics_file.write_bytes(b"".join(lines))
    for reading in (copy.read_metrics, lambda: copy.cut_metrics(10**9)):
        with pytest.raises(UserError, match="does not hold the metrics of a run"):
            reading()
    assert copy.metrics_file.read_bytes() == b"".join(lines)
    copy.cut_metrics(-1)
    assert copy.read_metrics() == [], "a run that begins anew keeps none"


def test_metrics_have_float32_precision(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    point = {"kind": "loss", "step": 123456789, "epoch": 1 / 3, "lr": 1e-9 / 3, "figures": {"all": [2 / 3, None, True]}}
    folder.append_metrics(point)
    (read,) = folder.read_metrics()
    assert read["step"] == 123456789 and read["figures"]["all"][1:] == [None, True]
    assert read["epoch"] == 0.3333333 and read["figures"]["all"][0] == 0.6666667
    assert read["lr"] == pytest.approx(point["lr"], rel=1e-6)
    folder.cut_metrics(123456789)
    assert folder.read_metrics() == [read]


def test_foreign_metrics(copy: RunFolder) -> None:
    copy.metrics_file.write_text("hello\n")
    with pytest.raises(UserError, match="does not hold the metrics of a run"):
        copy.read_metrics()


def test_resuming_with_the_state_of_another_run(copy: RunFolder) -> None:
    record = copy.read_record()
    record.state = "stopped"
    copy.write_record(record)
    copy.write_resume({"loss_sum": torch.zeros(())}, {"position": '{"step": 1, "loss_count": 0}'})
    with pytest.raises(UserError, match="belongs to another run"):
        start(copy.path, {}, torch.device("cpu"))


def test_folder_with_other_files_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="exists and is not a run"):
        start(tmp_path, SMALL, torch.device("cpu"))
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_half_precision_keeps_the_features(small_run: Path) -> None:
    """model.safetensors holds rounded weights, resume.safetensors exact ones."""
    from cl_core.data.registry import load_dataset
    from cl_core.networks.embedding import embed

    folder = RunFolder(small_run)
    run = open_run(folder)
    images = load_dataset("digits").images[:64]
    rounded = embed(run.method, images, run.size, torch.device("cpu"))
    exact = {n.removeprefix("method."): v for n, v in folder.read_resume()[0].items() if n.startswith("method.")}
    run.method.load_state_dict(exact)
    features = embed(run.method, images, run.size, torch.device("cpu"))
    assert (rounded * features).sum(1).min() > 0.9999


def test_only_one_process_trains_a_run(tmp_path: Path) -> None:
    """The lock is released when its process dies, and a folder that holds nothing else counts as new."""
    folder = RunFolder(tmp_path / "run")
    claim = "import sys, time; from pathlib import Path; from cl_core.runs.folder import RunFolder; "
    claim += "lock = RunFolder(Path(sys.argv[1])).claim(); print('mine', flush=True); time.sleep(100)"
    other = subprocess.Popen([sys.executable, "-c", claim, str(folder.path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert other.stdout is not None
    assert other.stdout.readline() == "mine\n"
    assert folder.is_claimed()
    with pytest.raises(UserError, match="is being trained by another process: wait for that, or stop it"):
        folder.claim()
    other.kill()
    other.communicate()
    assert not folder.is_claimed()
    assert folder.is_new()


def changed_weights(small_run: Path, folder: Path, change: Callable[[torch.Tensor], torch.Tensor]) -> Path:
    """A copy of a run whose largest weight of the encoder is changed."""
    shutil.copytree(small_run, folder)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    name = max((name for name in weights if name.startswith("encoder.")), key=lambda name: weights[name].numel())
    safetensors.torch.save_file(weights | {name: change(weights[name])}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(small_run: Path, tmp_path: Path, value: float) -> None:
    folder = changed_weights(small_run, tmp_path / "run", lambda weight: torch.full_like(weight, value))
    with pytest.raises(UserError, match="weights that are not finite numbers"):
        open_run(RunFolder(folder))


COMMANDS = [("evaluate", "--checkpoint"), ("search", "image.png", "--checkpoint"), ("project", "--checkpoint")]


@pytest.mark.parametrize("command_line", COMMANDS)
def test_features_that_are_no_numbers_are_refused(
    small_run: Path, tmp_path: Path, command: Callable[..., Any], command_line: tuple[str, ...]
) -> None:
    folder = changed_weights(small_run, tmp_path / "run", lambda weight: torch.full_like(weight.float(), 3e38))
    Image.new("RGB", (20, 20), "red").save(tmp_path / "image.png")
    done = command(*command_line, folder)
    assert done.returncode == 2, done.stderr
    assert "features of this model are not finite numbers" in done.stderr


ODD: list[tuple[str, object]] = [
    ("knn", "x"),
    ("knn", {"accuracy": "high"}),
    ("knn", {"accuracy": 7}),
    ("geometry", [1, 2]),
    ("health", {}),
    ("source", 3),
]


@pytest.mark.parametrize(("name", "value"), ODD)
def test_an_odd_metric_is_a_damaged_run_and_no_other_run_suffers(
    copy: RunFolder, command: Callable[..., Any], name: str, value: object
) -> None:
    content = json.loads(copy.record_file.read_text())
    copy.record_file.write_text(json.dumps(content | {"metrics": content["metrics"] | {name: value}}))
    with pytest.raises(UserError, match=rf"damaged or was written by another program: .*{name}"):
        copy.read_record()
    done = command("list", "--json", "--runs", copy.path.parent)
    assert done.returncode == 0, done.stderr
    listing = json.loads(done.stdout)
    assert [row["state"] for row in listing["runs"]] == ["damaged"]
    assert all(row["state"] == "finished" for row in listing["checkpoints"])


def test_an_odd_point_is_a_damaged_file(copy: RunFolder) -> None:
    lines = copy.metrics_file.read_text().splitlines()
    copy.metrics_file.write_text("\n".join([*lines, '{"step": 9, "kind": "snapshot", "knn": "x"}']))
    with pytest.raises(UserError, match="does not hold the metrics of a run"):
        copy.read_metrics()


def test_what_a_killed_write_left_goes_when_the_run_is_trained_again(copy: RunFolder) -> None:
    for name in (".resume.safetensors.123.tmp", ".model.safetensors.123.tmp"):
        (copy.path / name).write_bytes(b"half")
    lock = copy.claim()
    assert lock is not None
    lock.release()
    assert not list(copy.path.glob(".*.tmp"))
    assert copy.read_record().state == "finished"


def endless(file: Path, kind: str) -> None:
    """Replace a file by one that cannot be read to its end."""
    file.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    else:
        file.mkdir()


KINDS = ("pipe", "device", "folder")
FILES = ("run.json", "model.safetensors", "metrics.jsonl", "snapshots.safetensors")
READ_ALL = """
import sys
from pathlib import Path
from cl_core.errors import UserError
from cl_core.runs.folder import RunFolder

for path in sys.argv[1:]:
    run = RunFolder(Path(path))
    try:
        run.read_record(), run.read_model(), run.read_metrics(), run.read_snapshots()
    except UserError as error:
        print(error)
"""


def test_what_is_not_a_file_is_refused_before_it_is_read(small_run: Path, tmp_path: Path) -> None:
    """In a process of its own: a read without end would stop this one."""
    broken = [(name, kind) for name in FILES for kind in KINDS]
    for name, kind in broken:
        endless(Path(shutil.copytree(small_run, tmp_path / f"{name}-{kind}")) / name, kind)
    folders = [str(tmp_path / f"{name}-{kind}") for name, kind in broken]
    done = subprocess.run([sys.executable, "-c", READ_ALL, *folders], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    sentences = done.stdout.splitlines()
    assert len(sentences) == len(broken)
    for (name, _), sentence in zip(broken, sentences, strict=True):
        assert f"{name} is not a file but a folder, pipe or device" in sentence


def test_a_record_that_is_not_a_file_is_listed_as_damaged(small_run: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    for kind in KINDS:
        endless(RunFolder(Path(shutil.copytree(small_run, tmp_path / kind))).record_file, kind)
    done = command("list", "--json", "--runs", tmp_path)
    assert done.returncode == 0, done.stderr
    assert [row["state"] for row in json.loads(done.stdout)["runs"]] == ["damaged"] * len(KINDS)


def test_a_record_of_any_size_is_refused_unread(copy: RunFolder) -> None:
    with copy.record_file.open("r+b") as file:
        file.truncate(2**40)  # a sparse file: a terabyte that takes no space
    with pytest.raises(UserError, match="more than the 10 MB that such a file has at most"):
        copy.read_record()


@pytest.mark.parametrize("name", ["config", "config.dataset", "config.temperature", "config.augment.hue", "step", "image_size"])
def test_a_missing_setting_is_not_replaced_by_its_default(copy: RunFolder, name: str) -> None:
    content = json.loads(copy.record_file.read_text())
    *path, last = name.split(".")
    inner = content
    for part in path:
        inner = inner[part]
    del inner[last]
    copy.record_file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"damaged or was written by another program: {name} is missing"):
        open_run(copy)


TYPES = [torch.complex64, torch.bool, torch.int64, torch.int8]


@pytest.mark.parametrize("dtype", TYPES)
def test_weights_that_are_not_floating_point_are_refused(small_run: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    folder = changed_weights(small_run, tmp_path / "run", lambda weight: weight.to(dtype))
    kind = str(dtype).removeprefix("torch.")
    with pytest.raises(UserError, match=f"holds encoder.* as {kind}, where float32 is expected"):
        open_run(RunFolder(folder))


def test_a_counter_of_floating_point_numbers_is_refused(copy: RunFolder) -> None:
    weights = safetensors.torch.load_file(copy.model_file)
    name = next(name for name, value in weights.items() if not value.is_floating_point())
    safetensors.torch.save_file(weights | {name: weights[name].float()}, copy.model_file)
    with pytest.raises(UserError, match="as float32, where int64 is expected"):
        open_run(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t | {"embeddings": t["embeddings"].to(torch.complex64)},
        lambda t: t | {"embeddings": t["embeddings"][:-1]},
        lambda t: t | {"rows": t["rows"].float()},
        lambda t: t | {"rows": -1 - t["rows"]},
        lambda t: t | {"steps": t["steps"][None]},
        lambda t: t | {"embeddings": t["embeddings"].to(torch.int8), "embeddings.scale": torch.ones(7, 3)},
    ],
)
def test_odd_snapshots_are_refused(copy: RunFolder, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    safetensors.torch.save_file(change(safetensors.torch.load_file(copy.snapshots_file)), copy.snapshots_file)
    with pytest.raises(UserError, match="does not hold the snapshots of a run"):
        copy.read_snapshots()


def test_a_scale_of_another_size_is_refused(copy: RunFolder) -> None:
    copy.write_quantized_model(copy.read_model())
    tensors = safetensors.torch.load_file(copy.model_file)
    name = next(name for name in tensors if name.endswith(".scale"))
    safetensors.torch.save_file(tensors | {name: torch.ones(3)}, copy.model_file)
    with pytest.raises(UserError, match="does not fit the settings"):
        open_run(copy)
