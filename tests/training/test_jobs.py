"""The queue of jobs: their order, the settings of those that wait, and the errors of those that failed."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from cl_core.errors import UserError
from cl_core.runs.folder import WAITING, RunFolder
from cl_core.training import jobs as jobs_module
from cl_core.training.jobs import Jobs, waiting_settings
from tests.training.processes import LONG, LONG_STEP, training_process, wait_for

pytestmark = pytest.mark.slow


def test_runs_wait_for_each_other_in_their_order(tmp_path: Path) -> None:
    jobs, brief = Jobs(), LONG | {"epochs": 1}
    first, *others = (tmp_path / name for name in ("first", "b", "c", "d", "e"))
    jobs.enqueue(first, LONG)
    for path in others:
        jobs.enqueue(path, brief)
    assert jobs.running == first and jobs.waiting == others
    assert waiting_settings(first) == LONG and waiting_settings(others[0]) == brief
    assert [jobs.state_of(path).place for path in (first, *others)] == [0, 1, 2, 3, 4]
    assert jobs.state_of(first).running
    jobs.enqueue(others[0], brief)
    assert jobs.waiting == others, "a run waits once"
    jobs.move_to_front(others[2])
    jobs.dequeue(others[1])
    shutil.rmtree(others[3])
    b, c, d, e = others
    assert jobs.waiting == [d, b, e]
    assert [jobs.place(path) for path in (first, b, c, d)] == [0, 2, 0, 1]
    wait_for(first, 2)
    jobs.pause(others[0])
    assert jobs.waiting == [d, e] and not jobs.stopping, "no other run is touched"
    jobs.enqueue(others[0], brief)
    jobs.move_to_front(e)
    jobs.move_to_front(d)
    jobs.pause(first)
    deadline = time.monotonic() + 120
    while jobs.active:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert RunFolder(first).read_record().state == "stopped"
    ended = {path.name: RunFolder(path).read_record() for path in (d, b)}
    assert [record.state for record in ended.values()] == ["finished"] * 2
    assert (d / "run.json").stat().st_mtime <= (b / "run.json").stat().st_mtime
    assert not e.exists(), "what was removed is not trained"
    assert waiting_settings(c) == brief, "what waits no longer can still be started"
    assert not any((path / WAITING).exists() for path in (first, b, d)), "they are in their records"


def test_a_run_that_ended_before_it_began_can_be_started_again(tmp_path: Path) -> None:
    jobs, path = Jobs(), tmp_path / "run"
    jobs.enqueue(path, LONG_STEP)
    os.kill(training_process(), signal.SIGKILL)  # while it imports torch
    deadline = time.monotonic() + 30
    while jobs.running:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not RunFolder(path).exists()
    assert waiting_settings(path) == LONG_STEP


def test_what_waits_is_found_after_a_restart(tmp_path: Path) -> None:
    jobs, path = Jobs(), tmp_path / "second"
    jobs.enqueue(tmp_path / "first", LONG)
    jobs.enqueue(path, LONG | {"epochs": 1})
    jobs.dequeue(path)  # as if the program had ended
    jobs.stop()
    settings = waiting_settings(path)
    later = Jobs()
    later.enqueue(path, settings or {})
    assert later.running == path
    deadline = time.monotonic() + 120
    while later.running:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert RunFolder(path).read_record().config.epochs == 1


def test_too_many_runs_do_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "MAX_WAITING", 1)
    jobs = Jobs()
    jobs.enqueue(tmp_path / "first", LONG)
    jobs.enqueue(tmp_path / "second", LONG)
    with pytest.raises(UserError, match="1 runs wait already"):
        jobs.enqueue(tmp_path / "third", LONG)
    assert not (tmp_path / "third" / WAITING).exists()
    jobs.dequeue(tmp_path / "second")
    jobs.stop()


def test_a_run_that_failed_is_explained_while_the_next_one_trains(tmp_path: Path) -> None:
    jobs = Jobs()
    jobs.enqueue(tmp_path / "first", {"dataset": "digits", "lr": -1})
    jobs.enqueue(tmp_path / "second", LONG)
    wait_for(tmp_path / "second", 1)
    assert jobs.problem(tmp_path / "first") == "lr: input should be greater than 0, but it was -1."
    assert jobs.running == tmp_path / "second"
    jobs.stop()
