"""Views from other drawings of the same objects."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from cl_core.augment.record import sample_record
from cl_core.augment.views import apply_record
from cl_core.data.dataset import subset
from cl_core.data.importing import import_images
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.runs.config import RunConfig
from cl_core.training.drawings import Drawings, match_drawings
from cl_core.training.estimate import estimate
from cl_core.training.loop import StepDone, Training
from cl_core.training.randomness import STEP_STREAM, seeded_generator
from cl_core.training.recorder import start

pytestmark = pytest.mark.usefixtures("own_cache")

CPU = torch.device("cpu")
EMOJI = subset(load_dataset("emoji"), torch.arange(40))
RED, BLUE = (255, 0, 0), (0, 0, 255)


def draw(folder: Path, name: str, color: tuple[int, int, int], side: int = 64) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), color).save(folder / f"{name}.png")


def test_drawings_belong_to_the_image_that_their_file_names(tmp_path: Path) -> None:
    """By id, in small letters, or by name; files that name no image are left out; others are resized."""
    draw(tmp_path / "in" / "red", EMOJI.ids[3].lower(), RED, 96)
    draw(tmp_path / "in" / "blue", EMOJI.ids[3], BLUE, 32)
    draw(tmp_path / "in" / "blue", EMOJI.names[7], BLUE)
    draw(tmp_path / "in" / "blue", "nothing here", BLUE)
    import_images("hands", tmp_path / "in", size=48)
    drawings = Drawings(EMOJI, load_dataset("hands"), CPU)
    assert drawings.images.shape == (43, 3, 64, 64)
    assert torch.equal(drawings.images[:40], EMOJI.images)
    assert drawings.counts.tolist() == [1, 1, 1, 3, 1, 1, 1, 2] + [1] * 32
    colors = {
        tuple(drawings.images[place].float().mean((1, 2)).round().int().tolist()) for place in drawings.table[3, 1:].tolist()
    }
    assert colors == {RED, BLUE}
    assert drawings.table[7, :2].tolist()[0] == 7
    assert drawings.table[:, 0].tolist() == list(range(40))


def test_names_that_several_images_have_match_nothing(tmp_path: Path) -> None:
    """In a folder for each class: the class and the file name match; a file name that two classes have does not."""
    for kind in ("cat", "dog"):
        for stem in ("000", "001"):
            draw(tmp_path / "photos" / kind, stem, BLUE)
    draw(tmp_path / "photos" / "dog", "rex", BLUE)
    draw(tmp_path / "in" / "dog", "001", RED)
    draw(tmp_path / "in" / "ink", "000", RED)
    draw(tmp_path / "in" / "ink", "REX", RED)
    import_images("photos", tmp_path / "photos")
    import_images("hands", tmp_path / "in")
    photos, hands = load_dataset("photos"), load_dataset("hands")
    found = {(photos.names[row], hands.names[each]) for row, each in match_drawings(photos, hands)}
    assert found == {("dog 001", "dog 001"), ("dog rex", "ink REX")}


def test_of_an_emoji_in_its_skin_tones_the_first_is_matched(tmp_path: Path) -> None:
    emoji = load_dataset("emoji")
    name = "waving hand sign"
    rows = [row for row, each in enumerate(emoji.names) if each == name]
    assert len(rows) > 1
    draw(tmp_path / "in" / "ink", name, RED)
    draw(tmp_path / "in" / "ink", emoji.ids[rows[2]], RED)
    import_images("hands", tmp_path / "in")
    assert sorted(row for row, _ in match_drawings(emoji, load_dataset("hands"))) == [rows[0], rows[2]]


def test_each_drawing_is_as_likely(tmp_path: Path) -> None:
    draw(tmp_path / "in" / "red", EMOJI.ids[3], RED)
    draw(tmp_path / "in" / "blue", EMOJI.ids[3], BLUE)
    draw(tmp_path / "in" / "blue", EMOJI.ids[7], BLUE)
    import_images("hands", tmp_path / "in")
    drawings = Drawings(EMOJI, load_dataset("hands"), CPU)
    generator = torch.Generator().manual_seed(0)
    sampled = drawings.sample(torch.tensor([3, 7, 9]).repeat(30_000), generator).view(-1, 3)
    shares = [sampled[:, column].bincount(minlength=43).double() / 30_000 for column in range(3)]
    assert torch.allclose(shares[0][drawings.table[3]], torch.tensor(1 / 3).double(), atol=0.01)
    assert torch.allclose(shares[1][drawings.table[7, :2]], torch.tensor(1 / 2).double(), atol=0.01)
    assert shares[2][9] == 1


def test_a_run_whose_images_have_changed_does_not_resume(tmp_path: Path) -> None:
    """Neither where they are its data set nor where they are other drawings; nothing of the run is changed."""

    def imported(color: tuple[int, int, int]) -> None:
        for name in EMOJI.ids:
            draw(tmp_path / "in" / "one", name, color)
        import_images("hands", tmp_path / "in")

    imported(RED)
    small = {"encoder": "cnn", "image_size": 16, "batch_size": 16, "snapshots": 0}
    run = start(tmp_path / "run", small | {"dataset": "hands"}, CPU)
    assert run
    events = run.events()
    next(event for event in events if isinstance(event, StepDone))
    events.close()
    drawn = RunConfig.model_validate(small | {"drawings": "hands"})
    tensors, header = Training(drawn, EMOJI, CPU).state()
    files = {file: file.read_bytes() for file in (tmp_path / "run").iterdir() if file.is_file()}
    imported(BLUE)
    with pytest.raises(UserError, match="The images of hands have changed since this run was saved") as refused:
        start(tmp_path / "run", {}, CPU)
    assert {file: file.read_bytes() for file in files} == files
    with pytest.raises(UserError, match="The images of hands have changed"):
        Training(drawn, EMOJI, CPU).restore(tensors, header)
    imported(RED)
    assert start(tmp_path / "run", {}, CPU), "the lock is free, though the traceback is kept"
    del refused


def test_nothing_that_matches_is_an_error(tmp_path: Path) -> None:
    for name in ("of something else", "of another thing"):
        draw(tmp_path / "in" / "red", name, RED)
    import_images("hands", tmp_path / "in")
    with pytest.raises(UserError, match="No image of hands is named like an image of emoji"):
        Drawings(EMOJI, load_dataset("hands"), CPU)


def test_views_of_a_step_come_from_all_drawings_and_resume(tmp_path: Path) -> None:
    """With plain red drawings of every image about half of the views are red; a resumed run draws the same."""
    for name in EMOJI.ids:
        draw(tmp_path / "in" / "red", name, RED)
    import_images("hands", tmp_path / "in")
    plain = {"color_jitter_prob": 0.0, "grayscale_prob": 0.0, "blur_prob": 0.0}
    config = RunConfig.model_validate(
        {"drawings": "hands", "encoder": "cnn", "image_size": 16, "batch_size": 16, "epochs": 4, "snapshots": 0, "augment": plain}
    )
    run = Training(config, EMOJI, CPU)
    red = torch.tensor(RED)[:, None, None] / 255
    share = torch.stack(
        [((view - red).abs() < 0.02).flatten(1).all(1).double().mean() for s in range(8) for view in run.batch_of(s)[1]]
    )
    assert 0.35 < float(share.mean()) < 0.65
    for event in run.events():
        if isinstance(event, StepDone) and event.step == 3:
            break
    tensors, header = run.state()
    resumed = Training(config, EMOJI, CPU)
    resumed.restore({name: value.clone() for name, value in tensors.items()}, header)
    whole = Training(config, EMOJI, CPU)
    for each in (resumed, whole):
        list(each.events())
    one, other = whole.state()[0], resumed.state()[0]
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_estimate_counts_all_images(tmp_path: Path) -> None:
    draw(tmp_path / "in" / "red", EMOJI.ids[3], RED)
    draw(tmp_path / "in" / "red", EMOJI.ids[4], RED)
    import_images("hands", tmp_path / "in")
    plain = RunConfig.model_validate({"encoder": "cnn", "batch_size": 8})
    drawn = plain.model_copy(update={"drawings": "hands"})
    assert estimate(drawn, EMOJI).memory_bytes - estimate(plain, EMOJI).memory_bytes == 42 * 3 * 64 * 64


@pytest.mark.parametrize("given", ["emoji", "iris", "../up", ""])
def test_only_names_of_imported_data_sets_are_accepted(given: str) -> None:
    with pytest.raises(ValidationError, match="name of an imported data set, or none"):
        RunConfig.model_validate({"drawings": given})


@pytest.mark.parametrize("method", ["nce-bank", "moco", "supcon"])
def test_methods_with_one_view_with_keys_and_with_labels(method: str, tmp_path: Path) -> None:
    """Labels of held-out images stay unused: none of their drawings is a source of a view."""
    for row, name in enumerate(EMOJI.ids):
        draw(tmp_path / "in" / "red", name, (row * 6, 0, 0))
    import_images("hands", tmp_path / "in")
    settings = {"method": method, "drawings": "hands", "encoder": "cnn", "image_size": 16, "batch_size": 8, "epochs": 1}
    run = Training(RunConfig.model_validate(settings | {"queue_size": 8, "negatives": 8, "snapshots": 0}), EMOJI, CPU)
    assert run.take_step().loss > 0
    used = torch.cat([run.rows_of(step) for step in range(run.steps_per_epoch)])
    assert bool(torch.isin(used, EMOJI.held_out).any()) == (method != "supcon")


def test_without_drawings_a_step_is_as_before() -> None:
    """The views of a run that was made before the setting existed."""
    config = RunConfig.model_validate({"encoder": "cnn", "image_size": 16, "batch_size": 16, "epochs": 1, "snapshots": 0})
    rows, views, _ = Training(config, EMOJI, CPU).batch_of(0)
    generator = seeded_generator(CPU, config.seed, STEP_STREAM, 0)
    records = [sample_record(16, 64, 64, config.augment, generator) for _ in range(2)]
    for record, view in zip(records, views, strict=True):
        assert torch.equal(apply_record(EMOJI.images[rows], record, 16), view)
