"""The matrix marks what each method compares, and shows its own numbers."""

from __future__ import annotations

import base64
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from cl_core.data.dataset import instance_rows
from cl_core.data.registry import load_dataset
from cl_core.explore.batch import chosen_batch, dimension_batch, draw_batch, loss_breakdowns
from cl_core.explore.model_store import ModelStore
from cl_core.runs.store import find_run
from cl_core.training.recorder import start
from cl_core.training.setup import uses_labels
from cl_core.ui.names import class_name
from cl_core.ui.tabs.loss import Loss, _picked_notes, batch_controls, breakdown_by, cell_roles, show
from tests.conftest import SMALL

STORE = ModelStore()

COUNT = 8


def numbers(packed: str, kind: type[np.generic]) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(packed), kind).copy())


def roles(model: str) -> list[list[str]]:
    batch = draw_batch(STORE.get(model), COUNT, 1)
    _, trained = loss_breakdowns(STORE.get(model), batch, 2 * COUNT)
    data, run = load_dataset("emoji"), STORE.get(model).run
    return cell_roles(trained, batch, data.labels[instance_rows(data, uses_labels(run.record.config))])


@pytest.mark.parametrize(("method", "measure"), [("barlow-twins", "correlation"), ("vicreg", "covariance")])
def test_losses_of_dimensions_are_shown(method: str, measure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CL_RUNS_DIR", str(tmp_path))
    settings = SMALL | {"method": method, "epochs": 1, "snapshots": 0, "encoder": "cnn", "projection_dim": 12}
    recorder = start(tmp_path / f"digits-{method}-1", settings, torch.device("cpu"))
    assert recorder is not None
    for _ in recorder.events():
        pass
    model = ModelStore().get(f"digits-{method}-1")
    value = show(model, "own", COUNT, 1)
    untrained, trained = loss_breakdowns(model, dimension_batch(model, 1), 0)
    assert value["measure"] == measure and "over 256 images" in value["summary"]
    assert ("from the invariance" in value["summary"]) == (method == "vicreg")
    for panel, comparison in zip(value["panels"], (untrained, trained), strict=True):
        parts = comparison.anatomy
        assert panel["rows"] == len(panel["columns"]) == len(panel["rowSprites"]) == 12
        assert numbers(panel["contribution"], np.float32).sum().item() == pytest.approx(parts.loss, rel=1e-4)
        assert max(panel["rowSprites"]) < value["sprites"]["count"] <= 24
    assert "contribution" not in show(model, "nt-xent", COUNT, 1)["panels"][0], "other losses compare the views"


@pytest.mark.parametrize("model", STORE.names())
def test_every_checkpoint_is_shown(model: str) -> None:
    value = show(STORE.get(model), "own", COUNT, 1)
    summary = value["summary"]
    by_dimension = STORE.get(model).run.method.compares_dimensions
    batch = dimension_batch(STORE.get(model), 1) if by_dimension else draw_batch(STORE.get(model), COUNT, 1)
    pair = loss_breakdowns(STORE.get(model), batch, 2 * COUNT)
    for panel, comparison in zip(value["panels"], pair, strict=True):
        parts = comparison.anatomy
        assert (panel["rows"], len(panel["columns"])) == parts.cosines.shape
        assert len(panel["rowNames"]) == panel["rows"]
        assert torch.equal(numbers(panel["cosines"], np.float32).view_as(parts.cosines), parts.cosines.float())
        named = [value["roles"][code] for code in numbers(panel["roles"], np.uint8).tolist()]
        assert [".positive" in role for role in named] == parts.positive.flatten().tolist()
        assert [".negative" in role for role in named] == parts.negative.flatten().tolist()
        assert panel["form"]["kind"] == parts.form.kind
        assert set(named) <= set(value["roleNames"])
        assert all(-1 <= column["sprite"] < value["sprites"]["count"] for column in panel["columns"])
    chance = pair[1].chance
    assert f"a model that has learned nothing has {chance:.2f}." in summary
    assert "Loss over this batch: **{loss0}** untrained, **{loss1}** trained" in summary
    before, after = (comparison.anatomy.loss for comparison in pair)
    if "simsiam" not in model:
        assert after < before
        # Untrained embeddings point the same way: each of SigLIP's questions about two images is then answered wrong.
        assert before < chance + 2 or "siglip" in model
    assert after < chance


@pytest.mark.parametrize(
    ("model", "loss", "expected"),
    [
        ("emoji-simclr", "own", (True, True)),
        ("emoji-vicreg", "own", (False, True)),  # takes as many images as it needs
        ("emoji-vicreg", "nt-xent", (True, True)),
        ("emoji-simclr", "example-out", (False, False)),
    ],
)
def test_the_batch_is_chosen_where_there_is_one(model: str, loss: str, expected: tuple[bool, bool]) -> None:
    assert tuple(each["interactive"] for each in batch_controls(STORE.get(model), loss)) == expected


@pytest.mark.parametrize(
    ("loss", "expected"), [("example-out", "2.4826"), ("example-in", "1.4402"), ("example-in-sum", "0.7470")]
)
def test_the_worked_example_is_shown(loss: Loss, expected: str) -> None:
    value = show(STORE.get("emoji-simclr"), loss, COUNT, 1)
    assert f"they add up to the loss, **{expected}**" in value["summary"]
    assert value["measure"] == "dot"
    assert value["sprites"] is None


def test_each_loss_has_its_own_chance_level() -> None:
    """That of equal embeddings, in closed form."""
    labels = torch.tensor([0, 0, 1, 2, 2, 2])
    z, views = torch.randn(12, 5), 12
    positives = (labels.repeat(2)[:, None] == labels.repeat(2)[None]).sum(1) - 1
    expected: dict[Loss, float] = {
        "nt-xent": math.log(views - 1),
        "ratio": math.log(views - 2),
        "out": math.log(views - 1),
        "in": math.log(views - 1),
        "in-sum": math.log(views - 1) - float(positives.log().mean()),
    }
    for loss, chance in expected.items():
        assert breakdown_by(loss, z, labels, 0.1).chance == pytest.approx(chance, abs=1e-5), loss


def test_simclr_has_one_positive_a_row_and_leaves_itself_out() -> None:
    for number, line in enumerate(roles("emoji-simclr")):
        assert line[number] == "view.self"
        assert line[(number + COUNT) % (2 * COUNT)] == "view.positive"
        assert set(line) <= {"view.self", "view.positive", "view.negative", "view.negative_class"}


def test_images_without_a_class_are_no_false_negatives_of_each_other() -> None:
    """And each is a class of its own where the loss takes labels."""
    batch = draw_batch(STORE.get("emoji-simclr"), COUNT, 1)
    unlabeled = dataclasses.replace(batch, labels=torch.full((COUNT,), -1))
    losses: tuple[Loss, ...] = ("nt-xent", "out")
    for loss in losses:
        found = breakdown_by(loss, batch.trained, unlabeled.labels, 0.5)
        parts = {part for line in cell_roles(found, unlabeled, unlabeled.labels) for part in line}
        assert parts == {"view.self", "view.positive", "view.negative"}
    assert breakdown_by("out", batch.trained, unlabeled.labels, 0.5).anatomy.loss == pytest.approx(
        breakdown_by("nt-xent", batch.trained, unlabeled.labels, 0.5).anatomy.loss
    )


def test_the_picked_images_are_named_where_they_are_shown() -> None:
    model = STORE.get("emoji-simclr-small")
    rows = model.dataset.on_map[:3].tolist()
    batch = chosen_batch(model, f"emoji:{','.join(map(str, rows))}", 8, 0)
    assert _picked_notes(batch, ()) == []
    assert "**3 images you picked**" in _picked_notes(batch, tuple(rows))[0]
    assert "**3 of the 4 images you picked**" in _picked_notes(batch, (*rows, 1000))[0]
    assert "fewer than two" in _picked_notes(batch, (1000,))[0]


def test_supcon_has_its_class_as_positives() -> None:
    batch = draw_batch(STORE.get("emoji-supcon"), 32, 1)
    _, trained = loss_breakdowns(STORE.get("emoji-supcon"), batch, 64)
    labels = batch.labels.repeat(2)
    same = labels[:, None] == labels[None]
    same.fill_diagonal_(False)
    assert (trained.anatomy.positive == same).all()
    assert same.sum() > 64  # more than the other view


def test_simsiam_compares_only_the_two_views() -> None:
    for number, line in enumerate(roles("emoji-simsiam")):
        assert line.count("view.positive") == 1
        assert line[number] == "view.self"
        assert line.count("view.none") == 2 * COUNT - 2


def test_moco_compares_queries_with_their_keys_and_the_queue() -> None:
    lines = roles("emoji-moco")
    assert len(lines) == COUNT
    for number, line in enumerate(lines):
        assert line[number] == "view.positive"
        assert set(line[:COUNT]) == {"view.positive", "view.none"}
        assert set(line[COUNT:]) <= {"queue.negative", "queue.negative_class", "queue.none"}
        assert len(line) == 3 * COUNT


@pytest.mark.parametrize("model", ["emoji-nce-bank", "emoji-infonce-bank"])
def test_a_bank_holds_the_positive_and_the_noise(model: str) -> None:
    for number, line in enumerate(roles(model)):
        assert line[number] == "bank.positive"
        assert set(line[:COUNT]) == {"bank.positive", "bank.none"}
        assert "bank.negative" in line[COUNT:]
        assert "bank.positive" not in line[COUNT:]


def test_the_queue_shown_is_the_one_that_was_shipped() -> None:
    run = STORE.get("emoji-moco").run
    stored = run.method.stored_keys(draw_batch(STORE.get("emoji-moco"), COUNT, 1).instances, 5)
    assert stored is not None
    queue = find_run("emoji-moco").read_model()["queue"]
    assert all((queue == key).all(1).any() for key in stored.keys)
    assert (stored.instances >= 0).all()


def test_cross_entropy_compares_with_classes() -> None:
    data = load_dataset("emoji")
    batch = draw_batch(STORE.get("emoji-cross-entropy"), COUNT, 1)
    value = show(STORE.get("emoji-cross-entropy"), "own", COUNT, 1)
    panel = value["panels"][1]
    names = [column["caption"] for column in panel["columns"]]
    assert set(names) == {class_name(data, label) for label in batch.labels.tolist()}
    for row, line in enumerate(numbers(panel["roles"], np.uint8).view(panel["rows"], -1).tolist()):
        own = class_name(data, int(batch.labels[row % COUNT]))
        assert [value["roles"][code].endswith("positive") for code in line] == [name == own for name in names]
