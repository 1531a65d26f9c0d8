"""The tab Images, and who sees what was imported."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
import torch
from PIL import Image

from cl_core.data.imported import Description, write_imported
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError
from cl_core.explore.model_store import ModelStore
from cl_core.imports.jobs import ImportJob, ImportJobs
from cl_core.imports.process import Order
from cl_core.runs.folder import WAITING, RunFolder
from cl_core.system.files import OWNER, write_json
from cl_core.training.jobs import Jobs
from cl_core.training.tournament import FILE, Tournament, TournamentConfig
from cl_core.ui import visitors
from cl_core.ui.access import COOKIE, Access, Options
from cl_core.ui.tabs import images, train
from cl_core.ui.uploads import imports_dir, set_aside

KEY = bytes(32)
STRANGERS, LOCAL = Access(Options(host="0.0.0.0"), KEY), Access(Options(), KEY)


@pytest.fixture(autouse=True)
def empty_cache(own_cache: Path) -> None:
    pass


def request(cookie: str) -> gr.Request:
    return gr.Request(SimpleNamespace(cookies={COOKIE: cookie}), username=None)  # type: ignore[arg-type]


def store(name: str, labels: list[int], train: int = 0, owner: str = "", classes: list[str] | None = None) -> None:
    """A data set of noise, each image another."""
    pixels = torch.randint(256, (len(labels), 3, 32, 32), generator=torch.Generator().manual_seed(len(labels))).byte()
    if train:
        pixels[-1] = pixels[0]  # a leak
    described = Description(
        title=f"Title of {name}",
        license="mine",
        classes=["a", "b"] if classes is None else classes,
        names=[f"image {i}" for i in range(len(labels))],
        train=train or len(labels),
    )
    write_imported(name, pixels, torch.tensor(labels), described, owner)


def folder_of_images(root: Path, count: int = 6) -> Path:
    folder = root / "photos"
    folder.mkdir()
    for i in range(count):
        Image.new("RGB", (24, 24), (40 * i, 90, 200)).save(folder / f"{i}.png")
    return folder


def ended(job: ImportJob) -> ImportJob:
    until = time.monotonic() + 60
    while job.active:
        assert time.monotonic() < until
        time.sleep(0.05)
    return job


def test_what_a_data_set_contains() -> None:
    store("mine", [0, 1, 0, 1, -1, 0, 0, 0], train=6)
    data = load_dataset("mine")
    said = images.facts(data)
    for part in (
        "Title of mine",
        "8 images of 32 px",
        "6 to train, 2 to test",
        "Classes: 2",
        "without a class: 1",
        "such as b: 1",
        "mine",
    ):
        assert part in said, said
    rows = images.samples(data)
    assert [(row["title"], len(row["items"])) for row in rows] == [("a", 5), ("b", 2)]
    (leaks, within) = images.copies(data)
    assert leaks["title"] == "In both train and test: 1" and [item["caption"] for item in leaks["items"]] == [
        "image 0",
        "image 7",
    ]
    assert within["title"] == "Near-duplicates: 1"


def test_images_without_classes() -> None:
    store("flat", [-1] * 5, classes=[])
    data = load_dataset("flat")
    assert "needs no labels" in images.facts(data) and "Classes" not in images.facts(data)
    assert [row["title"] for row in images.samples(data)] == ["Some of the images"]
    assert images.copies(data) == []


def test_copies_within_a_group_are_not_counted() -> None:
    data = load_dataset("emoji")
    within, across = images._find(data)
    found = (within >= 0).nonzero()[:, 0]
    assert (data.groups[found] != data.groups[within[found]]).all() and not (across >= 0).any()


@pytest.mark.slow
def test_others_see_neither_images_nor_runs_of_a_visitor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_run: Path
) -> None:
    own, other = STRANGERS.new_cookie(), STRANGERS.new_cookie()
    visitor = STRANGERS.visitor(request(own))
    job = images.start_files(STRANGERS, ImportJobs(), folder_of_images(tmp_path), "Photos of us", 64, visitor, temporary=False)
    ended(job)
    name = job.order.name
    assert job.state == "done" and job.order.owner == visitor and job.order.most == 20_000
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


def test_only_the_owner_removes() -> None:
    own, other = STRANGERS.new_cookie(), STRANGERS.new_cookie()
    visitor, stranger = (STRANGERS.visitor(request(each)) for each in (own, other))
    store("anns", [0, 1], owner=visitor)
    store("ours", [0, 1])
    assert images.removable(STRANGERS, "anns", visitor)
    assert not images.removable(STRANGERS, "anns", stranger) and not images.removable(STRANGERS, "ours", visitor)
    assert not images.removable(STRANGERS, "ours", "") and not images.removable(LOCAL, "emoji", "")
    assert images.removable(LOCAL, "ours", "") and images.removable(LOCAL, "anns", "")


@pytest.mark.slow
def test_limits_of_visitors(tmp_path: Path) -> None:
    visitor = STRANGERS.visitor(request(STRANGERS.new_cookie()))
    for i in range(3):
        store(f"anns-{i}", [0, 1], owner=visitor)
    with pytest.raises(UserError, match="You have 3 data sets here"):
        images.start_files(STRANGERS, ImportJobs(), tmp_path, "x", 64, visitor, temporary=False)
    with pytest.raises(UserError, match="Public data sets are not downloaded here"):
        images.start_download(STRANGERS, ImportJobs(), "pets")
    with pytest.raises(UserError, match="choose one of"):
        images.start_download(LOCAL, ImportJobs(), "imagenet")
    few = Access(Options(most_images=3), KEY)
    job = ended(images.start_files(few, ImportJobs(), folder_of_images(tmp_path), "x", 64, "", temporary=False))
    assert "holds more than 3 images" in images.status(job, 1.0)


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


@pytest.mark.slow
def test_an_upload_is_gone_after_its_import(tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(b"no archive")
    place = set_aside(file)
    assert place.parent == imports_dir() and not file.exists()
    job = ended(images.start_files(LOCAL, ImportJobs(), place, "", 64, "", temporary=True))
    assert not place.exists()
    assert (job.order.title, job.order.name) == ("My images", "my-images")
    said = images.status(job, 1.0)
    assert "My images" in said and str(imports_dir()) not in said


def test_the_status_of_an_import() -> None:
    job = ImportJob(Order(kind="files", name="x", source="", title="<b>"), None, lambda: None)
    assert "Waiting until another import" in images.status(job, 0)
    job.state, job.fraction = "running", 0.25
    assert "&lt;b&gt;: 25% of the files read" in images.status(job, 30) and "90 s" in images.status(job, 30)
    job.state, job.skipped_count = "done", 30
    job.skipped = [UserError("data.empty", name=f"<{i}>") for i in range(25)]
    said = images.status(job, 0)
    assert said.count("<li>") == 21 and "and 10 more" in said and "<0>" not in said


def test_images_in_use_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jobs = Jobs()
    images.check_unused(jobs, "mine")
    waits, begun = tmp_path / "mine-simclr-1", tmp_path / "other-1"
    monkeypatch.setattr(Jobs, "active", property(lambda _: [waits, begun]))
    for path in (waits, begun):
        path.mkdir()
    write_json(waits / WAITING, {"dataset": "mine"})
    config = TournamentConfig(dataset="other", methods=("simclr",), minutes=1)
    (begun / FILE).write_text(Tournament(config=config, measure="knn", queries=1, gallery=1).model_dump_json())
    with pytest.raises(UserError, match="The run mine-simclr-1 trains on mine"):
        images.check_unused(jobs, "mine")
    with pytest.raises(UserError, match="The run other-1 trains on other"):
        images.check_unused(jobs, "other")
    images.check_unused(jobs, "simclr")


@pytest.mark.parametrize("given", ["", "  ", "/no/such", "a" * 5000, "~nobody-here/x", "\0"])
def test_paths_that_are_not_there(given: str) -> None:
    with pytest.raises(UserError, match="There is no folder or archive"):
        images._existing(given)
