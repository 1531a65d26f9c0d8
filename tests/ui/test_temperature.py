"""The tab Temperature shows probabilities of a softmax, whatever the loss of the model."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from cl_core.explore.batch import Batch, chosen_batch
from cl_core.explore.model_store import ModelStore
from cl_core.runs.folder import RunFolder
from cl_core.ui.tabs import loss as loss_tab
from cl_core.ui.tabs import map as map_tab
from cl_core.ui.tabs import temperature
from tests.conftest import ROOT

STORE = ModelStore()
SOFTMAX = ("out", "in", "in-sum", "views")  # kinds of losses whose rows are probabilities


def test_a_loss_that_lacks_the_keys_of_some_images_is_replaced_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_an_image_outside(*given: Any) -> Batch:
        batch = chosen_batch(*given)
        return dataclasses.replace(batch, instances=batch.instances.index_fill(0, torch.tensor([1]), -1))

    for module in (temperature, loss_tab):
        monkeypatch.setattr(module, "chosen_batch", with_an_image_outside)
    value = temperature.show(STORE, STORE.get("emoji-moco"), 8, 1)
    assert value["summary"].startswith("**emoji-moco** stores keys only of the images it was trained on")
    assert {panel["form"]["kind"] for panel in value["panels"]} == {"out"}
    simclr = temperature.show(STORE, STORE.get("emoji-simclr"), 8, 1)
    assert simclr["summary"].startswith("The loss is the one **emoji-simclr** was trained with.")


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("emoji-simclr", "The loss is the one **emoji-simclr** was trained with."),
        ("emoji-moco", "The loss is the one **emoji-moco** was trained with."),
        ("emoji-dcl", "The loss of **emoji-dcl** is not a softmax"),
        ("emoji-siglip", "The loss of **emoji-siglip** is not a softmax"),
        ("emoji-nce-bank", "The loss of **emoji-nce-bank** is not a softmax"),
        ("emoji-byol", "**emoji-byol** was trained without a temperature"),
    ],
)
def test_the_loss_is_a_softmax_and_the_page_says_whose(name: str, about: str) -> None:
    model = STORE.get(name)
    value = temperature.show(STORE, model, 8, 1)
    assert value["summary"].startswith(about)
    for panel in value["panels"]:
        assert panel["form"]["kind"] in SOFTMAX
        assert panel["form"]["temperature"] == pytest.approx(model.config.temperature)
    assert value["trainedTemperature"] == model.has_temperature
    assert name in {place["name"] for place in value["places"]}


@pytest.mark.parametrize("damage", ["cut", "rows"])
def test_a_damaged_run_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.setenv("CL_RUNS_DIR", str(tmp_path))
    shutil.copytree(ROOT / "checkpoints" / "emoji-simclr-small", tmp_path / "broken")
    folder = RunFolder(tmp_path / "broken")
    if damage == "cut":
        folder.snapshots_file.write_bytes(folder.snapshots_file.read_bytes()[:200])
    else:
        kept = folder.read_snapshots()
        assert kept
        folder.write_snapshots(dataclasses.replace(kept, rows=kept.rows + 10**6))
    store = ModelStore()
    found = {each["name"]: each["uniformity"] for each in temperature.places(store, store.get("emoji-simclr-small"))}
    assert found["broken"] is None and found["emoji-simclr"] is not None
    if damage == "rows":
        assert map_tab.snapshots_value(store.get("broken")) is None
