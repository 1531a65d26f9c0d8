"""What the views look things up in: a run that takes another's place, names with dots, a disk that is full."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image

from cl_core.data.imported import Description, write_imported
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.explore import projection
from cl_core.explore.batch import chosen_batch, draw_batch, picked_rows
from cl_core.explore.caches import Query, _search_batch
from cl_core.explore.model import SPACES, Model
from cl_core.explore.model_store import ModelStore
from cl_core.runs.folder import RunFolder
from cl_core.system.memo import Memo
from cl_core.training.recorder import start
from cl_core.ui import images as images
from cl_core.words.explore import WordStore
from tests.conftest import SMALL

pytestmark = pytest.mark.slow

STORE = ModelStore()


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_run: Path) -> Iterator[Path]:
    monkeypatch.setenv("CL_RUNS_DIR", str(tmp_path))
    shutil.copytree(small_run, tmp_path / "mine")
    return tmp_path


def test_a_run_that_takes_anothers_place_is_seen_at_once(runs: Path) -> None:
    before, batch = STORE.get("mine").run, draw_batch(STORE.get("mine"), 4, 1)
    assert STORE.get("mine").run is before
    zipped = hashlib.sha256(STORE.archive("mine", runs / "archives").read_bytes()).hexdigest()
    features = STORE.get("mine").map_features("feature")
    near = STORE.get("mine").search_tensor(load_dataset("digits").images[:1], 3)

    folder = RunFolder(runs / "mine")
    weights = folder.read_model().items()
    folder.write_model({name: torch.rand_like(value) if value.is_floating_point() else value for name, value in weights})
    after = STORE.get("mine").run
    assert after.key != before.key
    assert not torch.equal(draw_batch(STORE.get("mine"), 4, 1).trained, batch.trained)
    assert not torch.equal(STORE.get("mine").map_features("feature"), features)
    assert hashlib.sha256(STORE.archive("mine", runs / "archives").read_bytes()).hexdigest() != zipped
    assert STORE.get("mine").search_tensor(load_dataset("digits").images[:1], 3) != near


def test_other_images_of_the_same_name_are_another_model(runs: Path, own_cache: Path) -> None:
    digits = load_dataset("digits")
    record = RunFolder(runs / "mine").read_record()
    changed = record.model_copy(update={"config": record.config.model_copy(update={"dataset": "pics"})})
    RunFolder(runs / "mine").write_record(changed)
    for count in (40, 50):
        described = Description(title="x", license="", classes=digits.classes, names=["x"] * count, train=count)
        write_imported("pics", digits.images[:count], digits.labels[:count], described)
        model = STORE.get("mine")
        assert len(model.dataset) == count and STORE.get("mine") is model


def test_the_temperature_is_the_learned_one(runs: Path) -> None:
    folder = RunFolder(runs / "mine")
    assert STORE.get("mine").temperature == folder.read_record().config.temperature
    session = start(runs / "learned", SMALL | {"learn_temperature": True, "epochs": 1, "snapshots": 0}, torch.device("cpu"))
    assert session
    for _ in session.events():
        pass
    model = STORE.get("learned")
    assert model.temperature == model.run.method.loss_temperature != model.config.temperature


def test_an_archive_is_made_once(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("archives") / "below"
    archive = STORE.archive("mine", root)
    assert root in archive.parents
    assert STORE.archive("mine", root) == archive
    shutil.rmtree(archive.parent)
    assert STORE.archive("mine", root).is_file(), "and again where it was cleaned up"


def test_a_collection_with_a_dot_is_picked_from(runs: Path) -> None:
    data = dataclasses.replace(load_dataset("digits"), name="my.pics")
    assert picked_rows("my.pics:3,5,3", data) == (3, 5)
    assert picked_rows("my.pics:99999999999999999999", data) == ()
    assert picked_rows("digits:3,5", data) == ()


@pytest.mark.parametrize(("count", "images"), [(0, 2), (4, 4), (10**9, 32)])
def test_a_batch_is_as_large_as_a_page_shows(runs: Path, count: int, images: int) -> None:
    assert len(chosen_batch(STORE.get("mine"), "", count, 3).rows) == images


def test_a_damaged_map_is_computed_again(tmp_path: Path, own_cache: Path) -> None:
    features, made = torch.randn(30, 4), []

    def compute() -> torch.Tensor:
        made.append(1)
        return features

    first = projection.project(compute, "pca", tmp_path, "key")
    file = own_cache / "projections" / "pca-key.safetensors"
    whole = file.read_bytes()
    for damaged in (b"", whole[:40], whole[:-10], b"x" * 500):
        file.write_bytes(damaged)
        torch.testing.assert_close(projection.project(compute, "pca", tmp_path, "key"), first)
        assert file.read_bytes() == whole, "and kept again"
    assert len(made) == 5
    (tmp_path / "projections").mkdir()
    (tmp_path / "projections" / "pca-key.safetensors").write_bytes(whole[:-10])  # beside the run itself
    assert projection.project(compute, "pca", tmp_path, "key").shape == (30, 2)


def test_a_damaged_sheet_is_drawn_again(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_dataset("digits")
    file = Path(str(images.dataset_sprites(data)["url"]).removeprefix("/gradio_api/file="))
    whole = file.read_bytes()
    for damaged in (b"", whole[:-10], b"x" * len(whole)):
        file.write_bytes(damaged)
        images.dataset_sprites(data)
        assert file.read_bytes() == whole
    assert Image.open(file).size[0] > 100
    file.unlink()

    def full(path: Path, content: bytes) -> None:
        raise UserError("the disk is full")

    monkeypatch.setattr(images, "write_bytes", full)
    assert str(images.dataset_sprites(data)["url"]).startswith("data:image/webp;base64,UklGR")


def _no_room() -> None:
    """Let no file grow beyond 20 kB: what writes gets an error of the system, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_cache_costs_time_not_the_answer(
    command: Callable[..., subprocess.CompletedProcess[str]], small_run: Path, tmp_path: Path
) -> None:
    """Ended in SafetensorError."""
    Image.new("RGB", (20, 20), "white").save(tmp_path / "query.png")
    environment = {"CL_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(Path(__file__).parents[2])}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # Python keeps what it compiled even where that is cut off
    found = command("search", tmp_path / "query.png", "--checkpoint", small_run, "--top", 3, preexec_fn=_no_room, env=environment)
    assert (found.returncode, "Traceback" in found.stderr) == (0, False), found.stderr
    assert found.stdout.count("digit") >= 3
    assert not [file for file in (tmp_path / "cache").rglob("*") if file.is_file() and file.name.endswith(".tmp")]


def test_warming_up_passes_what_cannot_be_opened(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    opened = []

    def gallery(model: Model, space: str) -> None:
        opened.append((model.name, space))
        raise UserError("settings.other", message="the disk is full")

    monkeypatch.setattr(Model, "gallery", gallery)
    store = ModelStore()
    store.warm_up()
    assert opened == [("emoji-simclr", space) for space in SPACES], "of the first model alone: the others would take minutes"
    assert "warning: the disk is full" in capsys.readouterr().err


def test_unknown_names_leave_nothing(tmp_path: Path) -> None:
    """A name of 10 MB once kept 21 MB in memory for good, and was repeated whole in the error."""
    for find in (STORE.get, STORE.config, STORE.folder, partial(STORE.archive, root=tmp_path), WordStore().get):
        with pytest.raises(UserError) as error:
            find("x" * 10_000_000)
        assert len(str(error.value)) < 300
    memos = [each for each in (*vars(STORE).values(), *vars(STORE._caches).values()) if isinstance(each, Memo)]
    assert len(memos) > 6 and not any(memo._locks for memo in memos)


def test_a_model_is_opened_once_and_shares_its_galleries() -> None:
    assert STORE.get("emoji-simclr") is STORE.get("emoji-simclr")
    assert STORE.get("emoji-simclr").gallery("pixels") is STORE.get("emoji-moco").gallery("pixels")
    assert STORE.get("emoji-simclr").gallery("untrained") is STORE.get("emoji-moco").gallery("untrained")


def test_concurrent_searches_find_what_each_would_alone() -> None:
    model = STORE.get("emoji-simclr-small")
    data = model.dataset
    queries = [(data.images[row : row + 1], {int(data.groups[row])}) for row in range(0, 900, 100)]
    for space in ("trained", "pixels"):
        gallery = model.gallery(space)
        alone = [gallery.search(gallery.embedder(image), 5, [without])[0] for image, without in queries]
        with ThreadPoolExecutor(9) as pool:
            waiting = [pool.submit(model.search_tensor, image, 5, space, without) for image, without in queries]
            found = [each.result() for each in waiting]
        for one, other in zip(alone, found, strict=True):
            assert [each.cosine for each in one] == pytest.approx([each.cosine for each in other], abs=2e-3)
            assert len({each.row for each in one} & {each.row for each in other}) >= 4


def test_queries_of_different_sizes_are_answered_together() -> None:
    """An upload has the model's size, an image of the data set its own."""
    model = ModelStore().get("emoji-simclr-small")
    data = model.dataset
    large, small = data.images[100:101], data.images[100:101, :, ::2, ::2].contiguous()
    queries = [Query(large, 3), Query(small, 2)]
    found = _search_batch(model.gallery(), queries)
    alone = [_search_batch(model.gallery(), [query])[0] for query in queries]
    assert [[each.row for each in answers] for answers in found] == [[each.row for each in answers] for answers in alone]


def test_a_finished_run_without_room_for_its_archive_is_an_error_in_one_sentence(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="could not be written"):
        ModelStore().archive("mine", tmp_path / "file" / "below")


def test_an_archive_that_fails_leaves_nothing(runs: Path, tmp_path: Path) -> None:
    (runs / "mine" / "snapshots.safetensors").write_bytes(b"cut")
    with pytest.raises(UserError):
        ModelStore().archive("mine", tmp_path / "archives")
    assert not list((tmp_path / "archives").iterdir())


def test_the_same_images_with_other_names_are_another_data_set(own_cache: Path, small_run: Path, runs: Path) -> None:
    """Names, classes and answers of the first import stayed until a restart."""
    pixels, labels = torch.randint(256, (12, 3, 16, 16)).byte(), torch.arange(12) % 2

    def described(first: str) -> Description:
        return Description(title="t", license="", classes=[first, "dog"], names=[f"{first} {i}" for i in range(12)], train=12)

    record = json.loads((runs / "mine" / "run.json").read_text())
    record["config"]["dataset"] = "pets"
    (runs / "mine" / "run.json").write_text(json.dumps(record))
    store = ModelStore()
    for name in ("cta", "cat"):
        write_imported("pets", pixels, labels, described(name))
        model = store.get("mine")
        assert f"{name} 3" in model.choices
        assert model.search_tensor(pixels[:1], 1)[0].label == name
