"""Imports beside the page, in real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cl_core.data import imported
from cl_core.data.imported import (
    imported_names,
    imported_owner,
    read_imported,
    remove_expired,
    remove_imported,
    restore_imported,
)
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError
from cl_core.imports.jobs import ImportJob, ImportJobs, new_name
from cl_core.imports.process import ImportRequest
from cl_core.system import trash
from cl_core.text import using_language
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def empty_cache(own_cache: Path) -> None:
    pass


def folder_of_images(root: Path, count: int) -> Path:
    folder = root / "photos"
    for i in range(count):
        below = folder / ("cats" if i % 2 else "dogs")
        below.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (24, 24), (i % 256, 90, 200)).save(below / f"{i}.png")
    return folder


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def ended(job: ImportJob) -> ImportJob:
    wait_for(lambda: not job.active)
    return job


def children_of(process: int) -> list[int]:
    """Imports that a process started."""
    done = subprocess.run(["pgrep", "-P", str(process), "-f", "cl_core.imports.process"], capture_output=True, text=True)
    return [int(each) for each in done.stdout.split()]


def import_process() -> int:
    """Process number of the import that runs."""
    wait_for(lambda: len(children_of(os.getpid())) == 1)
    return children_of(os.getpid())[0]


def test_an_import_and_what_it_left_out(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path, 6)
    (folder / "cats" / "broken.png").write_bytes(b"\x89PNG broken")
    jobs, calls = ImportJobs(), list[str]()
    order = ImportRequest(kind="files", name="photos", source=str(folder), title="My photos", owner="ann")
    job = jobs.start(order, ended=lambda: calls.append("ended"))
    ended(job)
    assert (job.state, job.fraction, job.skipped_count, calls) == ("done", 1.0, 1, ["ended"])
    assert str(job.skipped[0]).startswith("broken.png is not an image")
    with using_language("zh"):
        assert "不是" in str(job.skipped[0])
    assert load_dataset("photos").title == "My photos"
    assert imported_owner("photos") == "ann"
    assert "photos" in dataset_names("ann") and "photos" in dataset_names() and "photos" not in dataset_names("bob")
    with pytest.raises(UserError) as raised:
        load_dataset("missing")
    assert "photos" not in str(raised.value)
    assert jobs.of("ann") == [job] and jobs.of("bob") == [] and jobs.get("photos") is job


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "nowhere"}, "There is no folder or archive nowhere"),
        ({"most": 3}, "holds more than 3 images"),
        ({"name": "No"}, "cannot name a data set"),
    ],
)
def test_a_refused_import_says_why(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    order = ImportRequest(kind="files", name="photos", source=str(folder_of_images(tmp_path, 6))).model_copy(update=changes)
    job = ended(ImportJobs().start(order))
    assert job.state == "failed" and message in str(job.problem), job.problem
    assert imported_names() == []


def test_a_killed_process_is_told_from_a_stopped_one(tmp_path: Path) -> None:
    before = folder_of_images(tmp_path, 6)
    jobs = ImportJobs()
    ended(jobs.start(ImportRequest(kind="files", name="photos", source=str(before))))
    for stop, state in ((False, "failed"), (True, "stopped")):
        job = jobs.start(ImportRequest(kind="files", name="photos", source=str(slow_folder(tmp_path / state))))
        process = import_process()
        with pytest.raises(UserError, match="photos is being imported"):
            jobs.start(ImportRequest(kind="files", name="photos", source=str(before)))
        assert jobs.names() == {"photos"}
        started = time.monotonic()
        if stop:
            job.stop()
        else:
            os.kill(process, signal.SIGKILL)
        ended(job)
        assert time.monotonic() - started < 5
        assert job.state == state
        assert bool(job.problem) != stop
        assert len(read_imported("photos")) == 6, "what was there stays"
        assert sorted(each.name.partition("-")[0] for each in imported.imported_dir().joinpath("photos").iterdir()) == [
            ".lock",
            "description.json",
            "images",
        ]


def slow_folder(path: Path) -> Path:
    """Many images of some megabytes: importing them takes longer than the test."""
    path.mkdir()
    Image.effect_noise((3000, 2000), 80).save(path / "0.png")
    for i in range(1, 400):
        os.link(path / "0.png", path / f"{i}.png")
    return path


def test_one_at_a_time_within_the_time_given(tmp_path: Path) -> None:
    jobs, slow = ImportJobs(), slow_folder(tmp_path / "slow")
    first = jobs.start(ImportRequest(kind="files", name="slow", source=str(slow)), seconds=3.0)
    second = jobs.start(ImportRequest(kind="files", name="photos", source=str(folder_of_images(tmp_path, 4))))
    third = jobs.start(ImportRequest(kind="files", name="never", source=str(slow)))
    wait_for(lambda: first.state == "running")
    assert second.state == third.state == "waiting"
    third.stop()
    for job in (first, second, third):
        ended(job)
    assert (first.state, second.state, third.state) == ("failed", "done", "stopped")
    assert "the limit for one visitor" in str(first.problem)


def test_an_import_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    slow = slow_folder(tmp_path / "slow")
    program = (
        "import sys, time; from cl_core.imports.jobs import ImportJobs; from cl_core.imports.process import ImportRequest; "
        "job = ImportJobs().start(ImportRequest(kind='files', name='slow', source=sys.argv[1])); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(slow)], cwd=ROOT)
    child = []
    wait_for(lambda: bool(child.extend(children_of(parent.pid)) or child))
    parent.kill()
    parent.wait()
    wait_for(lambda: not Path(f"/proc/{child[0]}").exists(), 20)


@pytest.mark.parametrize(
    ("title", "name"),
    [("My Photos (2)", "my-photos-2"), ("猫狗", "images"), ("Émile/../x", "emile-x"), ("", "images"), ("cifar10", "cifar10-2")],
)
def test_names_of_new_data_sets(title: str, name: str) -> None:
    assert new_name(title, False, set()) == name
    assert new_name(title, False, {name}) != name
    private = new_name(title, True, set())
    assert re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{16}", private) and private != new_name(title, True, set())


def test_two_of_one_name_are_numbered(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path, 4)
    for name in ("photos", "photos-2"):
        assert new_name("photos", False, set()) == name
        ended(ImportJobs().start(ImportRequest(kind="files", name=name, source=str(folder))))


def test_what_is_removed_can_be_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, folder = ImportJobs(), folder_of_images(tmp_path, 4)
    for name in ("one", "two"):
        ended(jobs.start(ImportRequest(kind="files", name=name, source=str(folder))))
    opened = load_dataset("one")
    remove_imported("one")
    assert imported_names() == ["two"]
    with pytest.raises(UserError):
        load_dataset("one")
    assert int(opened.images.sum()), "what is open stays readable"
    restore_imported("one")
    assert imported_names() == ["one", "two"] and len(load_dataset("one")) == 4
    with pytest.raises(UserError, match="cannot be brought back"):
        restore_imported("one")
    remove_imported("one")
    assert trash.purge(imported.imported_dir()) == []
    monkeypatch.setattr(trash, "RESTORABLE_S", -1.0)
    assert trash.purge(imported.imported_dir()) == ["one"]
    with pytest.raises(UserError, match="cannot be brought back"):
        restore_imported("one")
    remove_imported("nowhere")


def test_images_of_visitors_go_after_their_time(tmp_path: Path) -> None:
    jobs, folder = ImportJobs(), folder_of_images(tmp_path, 4)
    for name, owner in (("ours", ""), ("anns", "ann")):
        ended(jobs.start(ImportRequest(kind="files", name=name, source=str(folder), owner=owner)))
    assert remove_expired(3600) == []
    assert remove_expired(0) == ["anns"]
    assert imported_names() == ["ours"]
    assert not [each for each in imported.imported_dir().rglob("*") if "anns" in str(each)]


def test_a_folder_whose_name_is_no_text_is_a_failed_import(tmp_path: Path) -> None:
    """Was shown as done: the request could not be written."""
    name = os.fsdecode(str(tmp_path).encode() + b"/caf\xe9")
    job = ended(ImportJobs().start(ImportRequest(kind="files", name="photos", source=name)))
    assert job.state == "failed" and job.problem


def test_an_import_has_so_much_memory() -> None:
    """The directory of a zip file of empty names alone can take ten times its size."""
    program = (
        "from cl_core.imports import process\n"
        "from cl_core.training.estimate import memory_limit\n"
        "process.run_import = lambda *_: bytearray(memory_limit())\n"
        "raise SystemExit(process.main())"
    )
    order = ImportRequest(kind="files", name="photos", source="nowhere").model_dump_json()
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", program], text=True, cwd=ROOT, **pipes) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(order + "\n")
        process.stdin.flush()
        assert "images.no_memory" in process.stdout.read()
        assert "Traceback" not in process.stderr.read()


def test_an_import_that_linux_ends_lacks_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kills = iter(range(10))
    monkeypatch.setattr("cl_core.imports.jobs.oom_kills", lambda: next(kills))
    job = ImportJobs().start(ImportRequest(kind="files", name="photos", source=str(slow_folder(tmp_path / "slow"))))
    os.kill(import_process(), signal.SIGKILL)
    assert "not enough memory" in str(ended(job).problem)
