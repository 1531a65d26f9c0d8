"""Which method works here: sentences about a comparison, and who may start, stop and see one."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.system.files import OWNER
from cl_core.training.comparison_state import FILE, ComparisonConfig, ComparisonState, Entry, rank_entries, run_config
from cl_core.training.jobs import Jobs, JobState
from cl_core.training.setup import steps_per_epoch
from cl_core.ui import training_plan
from cl_core.ui.access import COOKIE, Access, Options
from cl_core.ui.tabs import method_comparison, train

KEY = bytes(32)
STRANGERS, LOCAL = Access(Options(host="0.0.0.0"), KEY), Access(Options(), KEY)
CONFIG = ComparisonConfig(dataset="digits", methods=("simclr", "moco"), minutes=10)


@pytest.fixture(autouse=True)
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CL_RUNS_DIR", str(tmp_path / "runs"))


def request(cookie: str) -> gr.Request:
    return gr.Request(SimpleNamespace(cookies={COOKIE: cookie}), username=None)  # type: ignore[arg-type]


def known(measure: str = "knn", **scores: float) -> ComparisonState:
    entries = [
        Entry(
            name=name,
            kind="baseline" if name in ("pixels", "untrained") else "method",
            right=[[int(i < 200 * score) for i in range(200)]],
            epochs=0 if name in ("pixels", "untrained") else 3,
            linear=0.5 if measure == "knn" else None,
            rank=20.0,
            agreement=0.25,
        )
        for name, score in scores.items()
    ]
    return ComparisonState(config=CONFIG, measure=measure, queries=200, gallery=900, entries=entries)  # type: ignore[arg-type]


def sentence(comparison: ComparisonState) -> str:
    return method_comparison.advice(comparison, rank_entries(comparison.entries))


def test_the_advice() -> None:
    clear = sentence(known(pixels=0.4, untrained=0.45, simclr=0.9, moco=0.6))
    assert (
        clear.startswith("SimCLR is best: kNN classifies 90.0%")
        and "statistically significant" in clear
        and "45.0 points above" in clear
    )
    tied = sentence(known(pixels=0.4, simclr=0.7, moco=0.7))
    assert "Not significantly worse: MoCo" in tied
    assert "No trained method beats raw pixels" in sentence(known(pixels=0.9, simclr=0.4, moco=0.5))
    pairs = sentence(known("pairs", pixels=0.2, simclr=0.6))
    assert "one view of an image finds the other in 60.0%" in pairs and "points above" not in pairs
    assert sentence(known()) == ""
    alone = sentence(known(pixels=0.4))
    assert "is best" in alone and "significant" not in alone, "there is nothing to compare with yet"


def test_the_table_escapes_names_and_tells_its_protocol() -> None:
    comparison = known(pixels=0.4, simclr=0.7)
    comparison.entries[1].name = "<b>"
    comparison.entries.append(Entry(name="moco", kind="method", problem="It <diverged>."))
    drawn = method_comparison.table(comparison, rank_entries(comparison.entries))
    assert "<b>" not in drawn and "&lt;b&gt;" in drawn and "MoCo: It &lt;diverged&gt;." in drawn
    assert "kNN accuracy of 200 images against 900" in drawn and drawn.count("<tr>") == 3
    head, row = (drawn.split("<tr>")[i] for i in (1, 2))
    assert head.count("<th") == row.count("<td") == 9
    unlabeled = known("pairs", pixels=0.4)
    drawn = method_comparison.table(unlabeled, rank_entries(unlabeled.entries))
    assert drawn.split("<tr>")[1].count("<th") == drawn.split("<tr>")[2].count("<td") == 8
    assert "an advantage over pixels" in drawn


def test_the_status() -> None:
    comparison = known(pixels=0.4)
    comparison.doing, comparison.step, comparison.steps, comparison.spent = "moco", 3, 40, 150.0
    running, ended = JobState(True, False, 0, 0, ""), JobState(False, False, 0, 0, "")
    shown = method_comparison.status(comparison, running)
    assert "value='0.250'" in shown and "Now: MoCo." in shown and "Step 3 of 40" in shown and "8 min" in shown
    comparison.spent = 700
    assert "more than the time given" in method_comparison.status(comparison, running)
    assert "press Resume" in method_comparison.status(comparison, ended)
    assert "Pausing" in method_comparison.status(comparison, JobState(True, True, 0, 0, ""))
    comparison.state = "finished"
    assert "Compared in 11.7 min" in method_comparison.status(comparison, ended)
    assert method_comparison.status(None, JobState(False, False, 0, 0, "no memory")).count("no memory") == 1
    assert "number 2 of 3" in method_comparison.status(None, JobState(False, False, 2, 3, "failed before"))
    assert "not begun" in method_comparison.status(None, ended)


def test_methods_that_can_learn_are_offered(own_cache: Path) -> None:
    import torch

    from cl_core.data.imported import Description, write_imported

    digits = load_dataset("digits")
    description = Description(title="x", license="", classes=[], names=["x"] * 9, train=9)
    write_imported("plain", digits.images[:9], torch.full((9,), -1), description)
    labeled, plain = method_comparison.offered("digits"), method_comparison.offered("plain")
    assert {"supcon", "cross-entropy"} <= {name for _, name in labeled[0]} and "supcon" in labeled[1]
    assert not {"supcon", "cross-entropy"} & {name for _, name in plain[0]} and plain[1] == ["simclr", "moco", "simsiam"]
    with pytest.raises(UserError, match="learns from labels"):
        method_comparison.start(LOCAL, Jobs(), ComparisonConfig(dataset="plain", methods=("supcon",), minutes=1), "")


def test_a_comparison_belongs_to_its_visitor() -> None:
    cookies = [STRANGERS.new_cookie() for _ in range(2)]
    own, other = (request(cookie) for cookie in cookies)
    folder = method_comparison.new_comparison("digits")
    assert folder.name == "digits-1" and method_comparison.new_comparison("digits").name == "digits-2"
    (folder / FILE).write_text(known(pixels=0.4).model_dump_json())
    (folder / OWNER).write_text(STRANGERS.visitor(own))
    assert method_comparison.latest("digits", STRANGERS, own) == folder
    assert method_comparison.latest("digits", STRANGERS, other) is None
    assert method_comparison.latest("digits", LOCAL, None) is None or method_comparison.latest("digits", LOCAL, own) == folder
    assert method_comparison.latest("emoji", STRANGERS, own) is None
    for number in range(3, 13):
        (method_comparison.comparisons_dir() / f"digits-{number}").mkdir()
        (method_comparison.comparisons_dir() / f"digits-{number}" / OWNER).write_text(STRANGERS.visitor(own))
    with pytest.raises(UserError, match="comparisons here, the limit"):
        method_comparison.start(STRANGERS, Jobs(), CONFIG, STRANGERS.visitor(own))


@pytest.mark.slow
def test_a_comparison_runs_beside_the_page_and_is_no_run_of_the_tab_train() -> None:
    jobs = Jobs()
    folder = method_comparison.start(LOCAL, jobs, CONFIG, "")
    try:
        assert jobs.is_training(folder) and train.names(jobs) == []
        second = method_comparison.start(LOCAL, jobs, CONFIG, "")
        assert jobs.waiting == [second.resolve()] and train.names(jobs) == []
        assert method_comparison.latest("digits", LOCAL, request(LOCAL.new_cookie())) == second, "found before it begins"
        assert "number 1 of 1" in method_comparison.status(None, jobs.state_of(second))
        jobs.stop()
        deadline = time.monotonic() + 120
        while not (second / FILE).exists():
            assert time.monotonic() < deadline, "it starts when the one before has ended"
            time.sleep(0.1)
        assert jobs.is_training(second)
    finally:
        jobs.stop()
        while jobs.running:
            pass


def test_the_plan_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_plan, "_seconds_per_step", lambda config: {"simclr": 0.2, "moco": 4.0}[config.method])
    config = ComparisonConfig(dataset="digits", methods=("simclr", "moco"), minutes=10)
    steps = steps_per_epoch(run_config(config, "moco", 1, 0, load_dataset("digits")), load_dataset("digits"))
    assert training_plan.comparison_plan(config) == (
        f"This roughly fits: SimCLR (epochs: 40, seeds: 3), MoCo (epochs: {int(300 / (4 * steps))}). "
        "A step of each method is measured first, so it may change."
    )
    monkeypatch.setattr(training_plan, "_seconds_per_step", lambda _: 100.0)
    assert "more than the time given" in training_plan.comparison_plan(config)
    monkeypatch.setattr(training_plan, "_seconds_per_step", lambda _: None)
    assert training_plan.comparison_plan(config) == ""
