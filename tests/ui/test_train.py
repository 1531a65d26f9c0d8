"""The view in which a run is trained: what it refuses, what it says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from cl_core.data.importing import import_images
from cl_core.errors import UserError
from cl_core.explore.model_store import ModelStore
from cl_core.runs.config import RunConfig
from cl_core.runs.folder import RunFolder
from cl_core.runs.options import read_settings, write_settings
from cl_core.runs.store import open_run
from cl_core.system.files import OWNER, write_json
from cl_core.training.job import JobRequest
from cl_core.training.jobs import Jobs
from cl_core.ui import visitors
from cl_core.ui.access import Access, Options
from cl_core.ui.run_status import RunStatus
from cl_core.ui.tabs import train
from tests.conftest import SMALL

pytestmark = pytest.mark.slow

STORE = ModelStore()

GIVEN = {"dataset": "digits", "method": "simclr", "epochs": 3}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_run: Path) -> Iterator[Path]:
    """Where the page keeps its runs, with a finished one called `small`."""
    monkeypatch.setenv("CL_RUNS_DIR", str(tmp_path))
    shutil.copytree(small_run, tmp_path / "small")
    return tmp_path


def test_settings_of_the_form_and_of_the_line() -> None:
    config = train.settings_of(Access(), GIVEN, "--method simsiam --stop-gradient false --augment.flip-prob 0")
    assert (config.method, config.stop_gradient, config.augment.flip_prob, config.epochs) == ("simsiam", False, 0.0, 3)
    assert config.snapshots == train.SNAPSHOTS
    assert train.settings_of(Access(), GIVEN, "--snapshots 3").snapshots == 3


def test_what_is_written_is_read_again() -> None:
    config = RunConfig.model_validate(SMALL | {"lr": 1 / 3, "stop_gradient": False, "weight_decay": 1e-7})
    line = write_settings(config)
    assert "--stop-gradient false" in line
    assert RunConfig.model_validate(read_settings(line, RunConfig)) == config
    assert write_settings(RunConfig()) == ""


@pytest.mark.parametrize(
    ("given", "other", "said"),
    [
        ({"temperature": 0}, "", "temperature: input should be greater than 0, but it was 0."),
        ({}, "--lr", "Argument --lr: expected one argument: give settings as on the command line"),
        ({}, "--nope 1", "Unrecognized arguments: --nope 1"),
        ({}, "--augment.flip-prob '", "A quotation mark is not closed"),
        ({"dataset": "../../etc"}, "", "dataset: must be one of"),
        ({"dataset": "nowhere"}, "", "nowhere"),
        ({"method": "pretrained"}, "", "pretrained is for encoders that others trained"),
        ({"epochs": None}, "", "epochs: input should be a valid integer"),
        ({"epochs": 1.5}, "", "epochs: input should be a whole number"),
        ({}, "--lr 1 " * 1000, "more than 2,000 characters of settings"),
    ],
)
def test_what_is_refused_at_once(given: dict[str, object], other: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        train.settings_of(Access(), GIVEN | given, other)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("--encoder timm/test_vit/32", "Only these encoders can be trained here"),
        ("--compile true", "without compiling"),
        ("--projection-dim 4096", "projection_dim goes up to 512"),
        ("--snapshots 1000", "snapshots goes up to 24"),
    ],
)
def test_what_visitors_of_a_space_may_not(monkeypatch: pytest.MonkeyPatch, other: str, said: str) -> None:
    train.settings_of(Access(), GIVEN, other)
    monkeypatch.setenv("SPACE_ID", "someone/explorer")
    with pytest.raises(UserError, match=said):
        train.settings_of(Access(), GIVEN, other)


def test_visitors_take_no_drawings_that_belong_to_somebody(tmp_path: Path, own_cache: Path) -> None:
    """Everybody sees runs on a bundled data set, so not even their own."""
    folder = tmp_path / "in" / "ink"
    folder.mkdir(parents=True)
    for name in ("1F600", "1F603"):
        Image.new("RGB", (64, 64)).save(folder / f"{name}.png")
    import_images("shared", tmp_path / "in")
    import_images("secret-1234", tmp_path / "in", owner="somebody")
    given = {"dataset": "emoji", "method": "simclr", "epochs": 3}
    for access in (Access(), Access(Options(host="0.0.0.0"))):
        assert train.settings_of(access, given, "--drawings shared").drawings == "shared"
    assert train.settings_of(Access(), given, "--drawings secret-1234").drawings == "secret-1234"
    with pytest.raises(UserError, match="secret-1234"):
        train.settings_of(Access(Options(host="0.0.0.0")), given, "--drawings secret-1234")


@pytest.mark.parametrize("name", ["", "..", "../small", "/etc", "a/b"])
def test_a_name_is_no_way_out(runs: Path, name: str) -> None:
    with pytest.raises(UserError, match="There is no run"):
        train.folder_of(name)


def test_a_new_run_gets_a_name_of_its_own(runs: Path) -> None:
    config = RunConfig(dataset="digits")
    assert [train.new_folder(config).name for _ in range(3)] == ["digits-simclr-1", "digits-simclr-2", "digits-simclr-3"]


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CL_RUNS_DIR", str(tmp_path / "file" / "runs"))
    with pytest.raises(UserError, match=r"No run can be saved in .*CL_RUNS_DIR"):
        train.new_folder(RunConfig(dataset="digits"))


def test_finished_runs_are_models(runs: Path) -> None:
    """Those cut off are not: their weights are not the last ones."""
    record = RunFolder(runs / "small").read_record()
    for name, state in (("cut", "running"), ("paused", "stopped")):
        write_json(runs / name / "run.json", record.model_dump(mode="json") | {"state": state, "step": 7})
    (runs / "words").mkdir()
    (runs / "words" / "run.json").write_text('{"kind": "words"}')
    shutil.copytree(runs / "small", runs / "emoji-simclr")  # a shipped name keeps its meaning
    names = STORE.names()
    assert {"small", "emoji-simclr"} <= set(names)
    assert not {"cut", "paused", "words"} & set(names)
    assert names[0] == "emoji-simclr"
    assert STORE.config("emoji-simclr").dataset == "emoji"
    assert STORE.get("small").run.record.state == "finished"
    assert set(train.names(Jobs())) == {"small", "cut", "paused", "emoji-simclr"}

    jobs = Jobs()
    finished = train.status(train.read_status(jobs, "small"))
    assert "small is finished: 3 epochs in" in finished
    assert f"kNN {record.metrics['knn']['accuracy']:.1%}" in finished
    assert "It has learned:" in finished
    assert "python -m cl_core train --run runs/small --dataset digits" in finished
    assert "cut was interrupted; epoch 0.6 of 3 is saved" in train.status(train.read_status(jobs, "cut"))
    assert "paused is paused at epoch 0.6 of 3" in train.status(train.read_status(jobs, "paused"))
    assert "There is no run gone here" in train.status(train.read_status(jobs, "gone"))
    assert "Nothing was trained here yet" in train.status(train.read_status(jobs, ""))
    shutil.copytree(runs / "small", runs / "damaged")
    metrics = RunFolder(runs / "damaged").metrics_file
    metrics.write_bytes(b"{\n" + metrics.read_bytes())
    assert "does not hold the metrics of a run" in train.status(train.read_status(jobs, "damaged"))
    train.watch(jobs, STORE, "damaged", "")
    shutil.rmtree(runs / "damaged")
    buttons = {
        name: [each["interactive"] for each in train.watch(jobs, STORE, name, "")[1:6] if "interactive" in each]
        for name in ("small", "cut", "paused", "emoji-simclr")
    }
    assert buttons == {
        "small": [False, False, True, True],
        "cut": [False, True, False, False],
        "paused": [False, True, False, False],
        "emoji-simclr": [False, False, False, False],
    }


def test_a_run_of_the_command_line_is_watched_only(runs: Path) -> None:
    record = RunFolder(runs / "small").read_record()
    write_json(runs / "elsewhere" / "run.json", record.model_dump(mode="json") | {"state": "running"})
    shutil.copy(runs / "small" / "metrics.jsonl", runs / "elsewhere")
    folder = train.folder_of("elsewhere")
    lock = folder.claim()
    assert lock is not None
    said, stop, resume, _, use, take, _, clock, *_ = train.watch(Jobs(), STORE, "elsewhere", "")
    assert "Epoch 3.0 of 3" in said
    assert not any(each["interactive"] for each in (stop, resume, use, take))
    assert clock["active"]
    lock.release()
    said, _, resume, *_, clock, _, _ = train.watch(Jobs(), STORE, "elsewhere", "")
    assert "was interrupted" in said
    assert resume["interactive"]
    assert not clock["active"]


def test_curves_are_drawn_when_there_is_more_of_them(runs: Path) -> None:
    seen = train.read_status(Jobs(), "small")
    value, drawn_from = train.draw_curves(seen, "")
    assert len(value["figures"]) == 2
    assert train.draw_curves(seen, drawn_from)[0] != value
    assert train.draw_curves(seen, drawn_from)[1] == drawn_from


def test_a_run_that_has_just_started_has_no_axes_yet(runs: Path) -> None:
    """Without a point they would run from -100 to 400 %."""
    started, lines = runs / "started", (runs / "small" / "metrics.jsonl").read_text().splitlines()
    started.mkdir()
    record = RunFolder(runs / "small").read_record().model_dump(mode="json") | {"state": "running", "step": 0}
    write_json(started / "run.json", record)
    (started / "metrics.jsonl").write_text(next(line for line in lines if '"snapshot"' in line) + "\n")
    _, of_another = train.draw_curves(train.read_status(Jobs(), "small"), "")
    for before in (of_another, ""):  # "": the tab was opened again
        value, drawn_from = train.draw_curves(train.read_status(Jobs(), "started"), before)
        assert (value["figures"], drawn_from) == ([], "")
    (started / "metrics.jsonl").write_text("\n".join(lines))
    value, drawn_from = train.draw_curves(train.read_status(Jobs(), "started"), drawn_from)
    assert len(value["figures"]) == 2 and drawn_from


def test_one_epoch_is_no_epochs(runs: Path) -> None:
    record = RunFolder(runs / "small").read_record().model_dump(mode="json")
    record["config"]["epochs"] = 1
    write_json(runs / "short" / "run.json", record)
    assert "short is finished: 1 epoch in" in train.status(train.read_status(Jobs(), "short"))


def test_a_run_is_taken_along(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Unpacked elsewhere it is a run like any other."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.unpack_archive(STORE.archive("small", elsewhere / "archives"), elsewhere)
    taken, own = RunFolder(elsewhere / "small"), RunFolder(runs / "small")
    assert taken.read_record() == own.read_record()
    assert not taken.resume_file.exists()
    assert open_run(taken).method is not None


def test_a_giant_is_refused_before_anything_is_made(runs: Path) -> None:
    """It held the only place, and did not stop within 25 s."""
    before = sorted(runs.iterdir())
    giant = RunConfig(dataset="emoji", encoder="resnet50", image_size=512, batch_size=65_536)
    jobs = Jobs()
    with pytest.raises(UserError, match=r"need about .* GB of memory and this machine offers .* choose a smaller batch_size"):
        train.start(Access(), jobs, giant, "me")
    assert sorted(runs.iterdir()) == before
    assert jobs.running is None


def test_strangers_neither_reorder_the_queue_nor_see_logs(runs: Path) -> None:
    state = RunStatus("a", place=3, waiting=5)
    assert "a waits: number 3 of 5" in train.status(state)
    failed = RunStatus("a", problem="It crashed.", log="File /home/someone/secret.py")
    assert "secret.py" in train.status(failed, with_log=True)
    assert "secret.py" not in train.status(failed)
    jobs = Jobs()
    for name in ("first", "second", "third"):
        jobs._queue.append(JobRequest((runs / name).resolve(), {}))
    prefer = [
        train.watch(jobs, STORE, "third", "", allowed, first)[3]["visible"]
        for allowed, first in ((True, True), (True, False), (False, True))
    ]
    assert prefer == [True, False, False]
    assert not train.watch(jobs, STORE, "third", "", False)[1]["interactive"], "the run of another visitor is not paused"


def test_a_stranger_has_two_runs_in_the_queue(tmp_path: Path) -> None:
    strangers = Access(Options(host="0.0.0.0"))
    waiting = [tmp_path / name for name in ("a", "b", "c")]
    for path, visitor in zip(waiting, ("me", "other", "me"), strict=True):
        path.mkdir()
        (path / OWNER).write_text(visitor)
    visitors.check_waiting(strangers, "me", waiting[:2])
    visitors.check_waiting(Access(), "me", waiting)
    with pytest.raises(UserError, match="2 of your runs wait already"):
        visitors.check_waiting(strangers, "me", waiting)


def test_what_waits_is_listed_and_can_be_started_after_a_restart(runs: Path) -> None:
    write_json(runs / "later" / "waiting.json", {"dataset": "digits"})
    names = train.names(Jobs())
    assert names[0] == "later"
    said, _, resume, *_ = train.watch(Jobs(), STORE, "later", "")
    assert "later has not started yet" in said and resume["interactive"]
    write_json(runs / "small" / "waiting.json", {"dataset": "digits"})  # left by a job that was begun
    assert train.names(Jobs()).count("small") == 1 and "has not started" not in train.watch(Jobs(), STORE, "small", "")[0]
