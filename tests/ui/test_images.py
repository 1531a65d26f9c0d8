"""The tab Images, and who sees what was imported."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from cl_core.data.registry import dataset_names
from cl_core.errors import UserError
from cl_core.explore.model_store import ModelStore
from cl_core.imports.jobs import ImportJobs
from cl_core.runs.folder import WAITING, RunFolder
from cl_core.system.files import OWNER, write_json
from cl_core.training.comparison_state import FILE, ComparisonConfig, ComparisonState
from cl_core.training.jobs import Jobs
from cl_core.ui import visitors
from cl_core.ui.access import Access, Options
from cl_core.ui.tabs import images, import_form, train
from tests.ui.own_images import KEY, LOCAL, STRANGERS, ended, folder_of_images, request, store


@pytest.fixture(autouse=True)
def empty_cache(own_cache: Path) -> None:
    pass


@pytest.mark.slow
def test_others_see_neither_images_nor_runs_of_a_visitor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_run: Path
) -> None:
    own, other = STRANGERS.new_cookie(), STRANGERS.new_cookie()
    visitor = STRANGERS.visitor(request(own))
    job = import_form.start_files(
        STRANGERS, ImportJobs(), folder_of_images(tmp_path), "Photos of us", 64, visitor, temporary=False
    )
    ended(job)
    name = job.request.name
    assert job.state == "done" and job.request.owner == visitor and job.request.most == 20_000
    seen = {cookie: dataset_names(STRANGERS.viewer(request(cookie))) for cookie in (own, other)}
    assert name in seen[own] and name not in seen[other]
    assert name not in dataset_names(STRANGERS.viewer(None)), "a request that comes from no page"
    # A run on them.
    monkeypatch.setenv("CL_RUNS_DIR", str(tmp_path / "runs"))
    run = tmp_path / "runs" / f"{name}-simclr-1"
    run.mkdir(parents=True)
    for file in small_run.iterdir():
        (run / file.name).write_bytes(file.read_bytes())
    record = RunFolder(run).read_record()
    changed = record.model_copy(update={"config": record.config.model_copy(update={"dataset": name})})
    RunFolder(run).write_record(changed)
    (run / OWNER).write_text(visitor)
    models = ModelStore()
    viewers = {cookie: STRANGERS.viewer(request(cookie)) for cookie in (own, other)}
    assert run.name in models.names(viewers[own]) and run.name not in models.names(viewers[other])
    assert run.name not in models.names(), "for programs"
    assert run.name in train.names(Jobs(), viewers[own]) and run.name not in train.names(Jobs(), viewers[other])
    assert run.name in models.names(LOCAL.viewer(None)), "the user of this machine sees all"


def test_images_of_visitors_and_what_was_made_of_them_go_after_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_run: Path, own_cache: Path
) -> None:
    monkeypatch.setenv("CL_RUNS_DIR", str(tmp_path / "runs"))
    private = f"anns-{'0a' * 8}"
    store(private, [0, 1], owner="ann")
    store("ours", [0, 1])
    for name in (f"{private}-simclr-1", "ours-simclr-1", f"comparisons/{private}-1"):
        shutil.copytree(small_run, tmp_path / "runs" / name)
        (tmp_path / "runs" / name / OWNER).write_text("ann")
    made = own_cache / "features"
    made.mkdir()
    kept = [f"emoji-{'1b' * 8}.feature.safetensors", f"ours-{'2c' * 8}-{'3d' * 8}.safetensors"]
    for name in (*kept, f"{private}-{'2c' * 8}-{'3d' * 8}.safetensors", f"tsne-{private}-{'4e' * 8}.safetensors"):
        (made / name).write_text("features")
    visitors.clean_up(Access(Options(host="0.0.0.0", keep_hours=1), KEY))
    visitors.clean_up(LOCAL)
    assert private in dataset_names() and len(list(made.iterdir())) == 4
    visitors.clean_up(Access(Options(host="0.0.0.0", keep_hours=1e-9), KEY))
    assert private not in dataset_names() and "ours" in dataset_names()
    assert sorted(each.name for each in made.iterdir()) == sorted(kept)
    assert sorted(each.name for each in (tmp_path / "runs").iterdir()) == ["comparisons", "ours-simclr-1"]
    assert not list((tmp_path / "runs" / "comparisons").iterdir())


def test_a_run_that_trained_when_its_images_went_is_deleted_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_run: Path, own_cache: Path
) -> None:
    runs = tmp_path / "runs"
    monkeypatch.setenv("CL_RUNS_DIR", str(runs))
    private, other = f"anns-{'0a' * 8}", f"bobs-{'1b' * 8}"
    store(private, [0, 1], owner="ann")
    store(other, [0, 1], owner="bob")
    for name in (f"{private}-simclr-1", f"{other}-simclr-1", "anns-simclr-1"):
        shutil.copytree(small_run, runs / name)
        (runs / name / OWNER).write_text("somebody")
    shutil.copytree(small_run, runs / f"mine-{'2c' * 8}-simclr-1")  # nobody's but the user's of this machine
    claimed = RunFolder(runs / f"{private}-simclr-1").claim()
    assert claimed
    os.utime(own_cache / "collections" / private / "description.json", (1, 1))  # imported long ago
    access = Access(Options(host="0.0.0.0", keep_hours=1), KEY)
    visitors.clean_up(access)
    assert private not in dataset_names() and (runs / f"{private}-simclr-1").is_dir(), "it trains"
    claimed.release()
    visitors.clean_up(access)
    assert sorted(each.name for each in runs.iterdir()) == sorted(
        ["anns-simclr-1", f"{other}-simclr-1", f"mine-{'2c' * 8}-simclr-1"]
    )


def test_only_the_owner_removes() -> None:
    own, other = STRANGERS.new_cookie(), STRANGERS.new_cookie()
    visitor, stranger = (STRANGERS.visitor(request(each)) for each in (own, other))
    store("anns", [0, 1], owner=visitor)
    store("ours", [0, 1])
    assert images.removable(STRANGERS, "anns", visitor)
    assert not images.removable(STRANGERS, "anns", stranger) and not images.removable(STRANGERS, "ours", visitor)
    assert not images.removable(STRANGERS, "ours", "") and not images.removable(LOCAL, "emoji", "")
    assert images.removable(LOCAL, "ours", "") and images.removable(LOCAL, "anns", "")


@pytest.mark.parametrize(
    ("options", "upload", "count"),
    [
        ({}, 8_000, 0),
        ({"host": "0.0.0.0"}, 500, 20_000),
        ({"host": "0.0.0.0", "shared": True}, 8_000, 0),
        ({"upload_mb": "70", "most_images": "5"}, 70, 5),
    ],
)
def test_limits_by_options(options: dict[str, Any], upload: int, count: int) -> None:
    access = Access(Options(**options), KEY)
    assert (access.most_upload, access.most_images) == (upload * 1_000_000, count)


def test_images_in_use_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jobs = Jobs()
    images.check_unused(jobs, "mine")
    waits, begun = tmp_path / "mine-simclr-1", tmp_path / "other-1"
    monkeypatch.setattr(Jobs, "active", property(lambda _: [waits, begun]))
    for path in (waits, begun):
        path.mkdir()
    write_json(waits / WAITING, {"dataset": "mine"})
    config = ComparisonConfig(dataset="other", methods=("simclr",), minutes=1)
    (begun / FILE).write_text(ComparisonState(config=config, measure="knn", queries=1, gallery=1).model_dump_json())
    with pytest.raises(UserError, match="The run mine-simclr-1 trains on mine"):
        images.check_unused(jobs, "mine")
    with pytest.raises(UserError, match="The run other-1 trains on other"):
        images.check_unused(jobs, "other")
    images.check_unused(jobs, "simclr")


def test_caches_are_bounded_and_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    now = time.time()
    for number, (name, age) in enumerate((("old", 9e5), ("older", 9.5e5), ("new", 60), (".half.tmp", 9e5), (".now.tmp", 5))):
        (tmp_path / name).write_bytes(bytes([number]) * 100)
        os.utime(tmp_path / name, (now - age, now - age))
    visitors.bound_folder(tmp_path, 350, now)
    assert sorted(each.name for each in tmp_path.iterdir()) == [".now.tmp", "new", "old"]
    visitors.bound_folder(tmp_path, 0, now)
    assert sorted(each.name for each in tmp_path.iterdir()) == [".now.tmp", "new"], "what is in use stays"
    visitors.bound_folder(tmp_path / "missing", 0, now)


def test_old_runs_of_visitors_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_run: Path, own_cache: Path
) -> None:
    """Else a few visitors could fill the space for models for good."""
    runs = tmp_path / "runs"
    monkeypatch.setenv("CL_RUNS_DIR", str(runs))
    for name, age in (("old", 3), ("older", 4), ("new", 0)):
        shutil.copytree(small_run, runs / name)
        (runs / name / OWNER).write_text("ann")
        os.utime(runs / name, (time.time() - 3600 * age,) * 2)
    shutil.copytree(small_run, runs / "mine")
    access = Access(Options(host="0.0.0.0", keep_hours=2), KEY)
    visitors.clean_up(access)
    assert len(list(runs.iterdir())) == 4, "there is room"
    one = sum(file.stat().st_size for file in (runs / "mine").rglob("*") if file.is_file())
    monkeypatch.setattr(visitors, "ALL_MODELS", 3.5 * one)
    visitors.clean_up(access)
    assert sorted(each.name for each in runs.iterdir()) == ["mine", "new", "old"]
    monkeypatch.setattr(visitors, "ALL_MODELS", 1.5 * one)
    visitors.clean_up(access)
    assert sorted(each.name for each in runs.iterdir()) == ["mine", "new"]
    monkeypatch.setattr(visitors, "ALL_MODELS", 0)
    os.utime(runs / "new", (1, 1))
    visitors.clean_up(access)
    assert sorted(each.name for each in runs.iterdir()) == ["mine", "new"], "it would make no room: others fill it"
