"""Every method learns on a small data set, resumes exactly, and rejects invalid input."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from cl_core.augment.record import sample_record
from cl_core.data.dataset import Dataset
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError, from_validation
from cl_core.networks.methods import TRAINABLE
from cl_core.networks.methods.memory_bank import NCEBank
from cl_core.networks.methods.moco import MoCo
from cl_core.runs.config import RunConfig
from cl_core.runs.folder import RunFolder
from cl_core.training.loop import Logged, Snapshot, StepDone, Training
from cl_core.training.recorder import start
from cl_core.training.setup import view_plan

CPU = torch.device("cpu")
TINY = {
    "dataset": "digits",
    "image_size": 16,
    "encoder": "cnn",
    "batch_size": 64,
    "epochs": 6,
    "snapshots": 2,
    "projection_hidden": 64,
    "projection_dim": 32,
    "queue_size": 256,
    "negatives": 512,
    "temperature": 0.2,
    "augment": {"flip_prob": 0.0, "crop_scale_min": 0.5, "color_jitter_prob": 0.0, "grayscale_prob": 0.0, "blur_prob": 0.0},
}


def settings(method: str, **changes: object) -> dict[str, object]:
    own = {"projection_last_norm": True, "optimizer": "sgd", "lr": 0.1} if method == "simsiam" else {}
    return TINY | {"method": method} | own | changes


def training(method: str, data: Dataset | None = None, **changes: object) -> Training:
    config = RunConfig.model_validate(settings(method, **changes))
    return Training(config, data or load_dataset("digits"), CPU)


@pytest.mark.parametrize("method", TRAINABLE)
def test_learns(method: str) -> None:
    """The loss falls below chance, the embeddings stay spread, and kNN accuracy does not fall."""
    events = list(training(method).events())
    losses = [event for event in events if isinstance(event, Logged)]
    first, last = [event for event in events if isinstance(event, Snapshot)]
    assert last.verdict == "learning", last.sentence
    assert losses[-1].loss < losses[-1].chance - 0.5
    assert last.knn.accuracy > first.knn.accuracy - 0.02
    assert last.geometry.alignment < 1


def test_settings_that_do_not_go_together() -> None:
    for changes, message in (
        ({"train_size": 24, "encoder": "cnn"}, "maps are averaged"),
        ({"small_views": 2, "encoder": "cnn"}, "small_views needs an encoder whose maps are averaged"),
        ({"small_views": 1, "exclude_false_negatives": True, "encoder": "fast-resnet"}, "works with two views"),
        ({"views": 3, "exclude_false_negatives": True}, "works with two views"),
    ):
        with pytest.raises(ValidationError) as caught:
            RunConfig.model_validate(settings("simclr", **changes))
        assert message in str(from_validation(caught.value))


@pytest.mark.parametrize(
    "changes",
    [
        {"views": 4},
        {"learn_temperature": True},
        {"whitening": 0.75},
        {"optimizer": "muon", "weight_decay": 0.1},
        {"train_size": 12, "encoder": "fast-resnet", "epochs": 1},
        {"small_views": 2, "encoder": "fast-resnet", "epochs": 1},
    ],
    ids=["four views", "learned temperature", "whitening", "muon", "smaller views", "small crops"],
)
def test_settings_of_a_run_learn_and_resume(changes: dict[str, object]) -> None:
    changes = {"epochs": 2, "snapshots": 0} | changes
    whole = training("simclr", **changes)
    events = list(whole.events())
    losses = [event for event in events if isinstance(event, Logged)]
    assert losses[-1].loss < losses[0].loss
    first = training("simclr", **changes)
    for event in first.events():
        if isinstance(event, StepDone) and event.step == 9:
            break
    tensors, header = first.state()
    second = training("simclr", **changes)
    second.restore({name: value.clone() for name, value in tensors.items()}, header)
    list(second.events())
    one, other = whole.state()[0], second.state()[0]
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_small_crops_are_small() -> None:
    """Sides and areas of the views of a step; a method with two views has no small crops."""
    changes: dict[str, object] = {"small_views": 3, "encoder": "fast-resnet", "image_size": 24, "small_crop_scale": 0.2}
    run = training("supcon", **changes)
    _, views, _ = run.batch_of(0)
    assert [view.shape[-1] for view in views] == [24, 24, 12, 12, 12]
    plan = view_plan(run.config, run.dataset)
    assert [side for side, _ in plan] == [24, 24, 12, 12, 12]
    record = sample_record(500, 100, 100, plan[-1][1], torch.Generator().manual_seed(0))
    areas = record.box[:, 2:].prod(1) / 10_000
    assert 0.035 < float(areas.min()) < 0.06
    assert 0.18 < float(areas.max()) < 0.21
    _, views, _ = training("dcl", **changes).batch_of(0)
    assert [view.shape[-1] for view in views] == [24, 24]
    assert view_plan(run.config.model_copy(update={"small_size": 9}), run.dataset)[-1][0] == 9


def test_whitening_comes_after_the_last_step() -> None:
    run = training("simclr", epochs=2, whitening=0.75)
    snapshots = []
    for event in run.events():
        whitening = run.method.encoder.whitening
        assert whitening is not None
        fitted = not torch.equal(whitening.matrix, torch.eye(len(whitening.matrix)))
        if isinstance(event, StepDone | Snapshot):
            assert fitted == (run.step == run.total)
        if isinstance(event, Snapshot):
            snapshots.append(event)
    plain = list(training("simclr", epochs=2).events())
    last = [event for event in plain if isinstance(event, Snapshot)][-1]
    assert torch.allclose(snapshots[-1].embeddings, last.embeddings, atol=1e-3), "embeddings z are not changed"
    assert not torch.allclose(snapshots[-1].features, last.features, atol=0.05)


def test_a_resumed_moco_has_its_queue(tmp_path: Path) -> None:
    """Through the files: queue, its place, and the key encoder, which differs from the encoder."""
    recorder = start(tmp_path / "run", settings("moco"), CPU)
    assert recorder is not None
    events = recorder.events()
    for event in events:
        if isinstance(event, StepDone) and event.step == 7:
            events.close()
    resumed = start(tmp_path / "run", {}, CPU)
    assert resumed is not None
    before, after = recorder.training.method, resumed.training.method
    assert isinstance(before, MoCo)
    assert isinstance(after, MoCo)
    assert int(after.queue_position) == 7 * 64 % 256
    assert (after.queue_instances >= 0).all()
    assert torch.equal(before.queue, after.queue)
    key, query = after.key_encoder.state_dict(), after.encoder.state_dict()
    assert all(torch.equal(key[name], value) for name, value in before.key_encoder.state_dict().items())
    assert any(not torch.equal(key[name], query[name]) for name in key)


def test_log_z_is_updated_during_training() -> None:
    """Not estimated once and then constant (CMC #23)."""
    run = training("nce-bank", epochs=3)
    seen = []
    for event in run.events():
        if isinstance(event, StepDone):
            assert isinstance(run.method, NCEBank)
            seen.append(float(run.method.log_z))
    assert len(set(seen)) == len(seen)
    assert abs(seen[-1] - seen[0]) > 0.05


def test_methods_that_read_labels_exclude_held_out_images() -> None:
    data = load_dataset("emoji")
    for method, reads in (("supcon", True), ("cross-entropy", True), ("simclr", False)):
        run = training(method, data, dataset="emoji", image_size=28)
        overlap = set(run.rows.tolist()) & set(data.held_out.tolist())
        assert bool(overlap) != reads
    assert training("simclr", data, dataset="emoji", exclude_false_negatives=True).labels_seen


@pytest.mark.parametrize("method", ["supcon", "cross-entropy"])
def test_missing_labels_raise_user_error(method: str) -> None:
    data = load_dataset("digits")
    unlabeled = dataclasses.replace(data, labels=torch.full_like(data.labels, -1), classes=[])
    with pytest.raises(UserError, match=f"{method} with these settings learns from labels, and digits has none"):
        training(method, unlabeled)
    list(training("simclr", unlabeled, epochs=1, snapshots=0).events())


def test_methods_that_read_labels_exclude_unlabeled_images() -> None:
    data = load_dataset("digits")
    labels = data.labels.clone()
    labels[::2] = -1
    half = dataclasses.replace(data, labels=labels)
    for method in ("supcon", "cross-entropy"):
        run = training(method, half, epochs=1, snapshots=2)
        assert (half.labels[run.rows] >= 0).all()
        snapshots = [event for event in run.events() if isinstance(event, Snapshot)]
        assert snapshots[-1].knn.queries == int((labels[data.test] >= 0).sum())


@pytest.mark.parametrize("method", ["supcon", "cross-entropy"])
def test_a_class_with_one_member(method: str) -> None:
    """Its two views are each other's only positives; the loss stays finite."""
    data = load_dataset("digits")
    labels = data.labels.clone()
    labels[data.train[0]] = 10
    odd = dataclasses.replace(data, labels=labels, classes=[*data.classes, "odd"])
    events = list(training(method, odd, epochs=1, snapshots=0).events())
    assert all(event.loss == event.loss for event in events if isinstance(event, Logged))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"batch_size": 1}, "batch_size: input should be greater than or equal to 2, but it was 1."),
        ({"temperature": 0}, "temperature: input should be greater than 0, but it was 0."),
        ({"temperature": -0.1}, "temperature: input should be greater than 0, but it was -0.1."),
        ({"method": "moco", "queue_size": 63}, "queue_size: must be at least the batch size, 64, but it was 63."),
        ({"optimizer": "adagrad"}, "optimizer: input should be 'adamw', 'adam', 'sgd', 'lars' or 'muon', but it was 'adagrad'."),
        ({"sup_con_form": "both"}, "sup_con_form: input should be 'out', 'in' or 'in-sum', but it was 'both'."),
    ],
)
def test_invalid_settings_raise(tmp_path: Path, changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        start(tmp_path / "run", TINY | changes, CPU)
    assert str(from_validation(caught.value)) == sentence
    assert not (tmp_path / "run").exists()


def test_batch_and_negatives_are_limited_to_the_data_set() -> None:
    """A batch or a sample larger than the data set is the whole data set."""
    small = training("infonce-bank", batch_size=5000, negatives=100_000)
    assert small.batch == len(small.rows) == 1438
    assert small.method.negatives == 1437
    assert RunFolder(Path("nowhere")).read_metrics() == []
