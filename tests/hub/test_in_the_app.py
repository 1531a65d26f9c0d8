"""What was brought from the Hub, as the app's views look it up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from cl_core.errors import UserError
from cl_core.explore.model_store import ModelStore
from cl_core.hub.encoder import encode_dataset, fetch_encoder
from cl_core.hub.pull import pull
from cl_core.system.host import Host
from cl_core.ui import api, visitors
from cl_core.ui.access import Access, Options
from cl_core.ui.host_line import host_line
from cl_core.ui.links import LinkedControl, restore
from cl_core.ui.tabs import curves, map, models, search, temperature
from cl_core.ui.tabs import loss as loss_tab
from tests.conftest import ROOT
from tests.hub.conftest import files_of, published
from tests.hub.server import Hub

pytestmark = pytest.mark.slow

STORE = ModelStore()

RUN, ENCODER = "someone/dresses", "timm/vit_toy.own"


def steps(handler: Any, *given: Any) -> list[tuple[Any, ...]]:
    return list(handler(*given))


def test_a_run_of_the_hub_is_called_by_its_commit(hub: Hub, small_run: Path) -> None:
    files = files_of(small_run)
    first = hub.add(RUN, files)
    before = STORE.names()
    pull(RUN)
    assert STORE.names() == [*before, f"{RUN}@{first[:8]}"]
    second = hub.add(RUN, {**files, "metrics.jsonl": b""})
    pull(RUN)
    assert set(STORE.names()) == {*before, f"{RUN}@{first[:8]}", f"{RUN}@{second[:8]}"}
    assert STORE.folder(f"{RUN}@{first[:8]}").read_metrics()
    assert not STORE.folder(f"{RUN}@{second[:8]}").read_metrics()
    assert STORE.config(f"{RUN}@{first[:8]}").dataset == "digits"
    name = f"{RUN}@{first[:8]}"
    assert "learned" in curves.show(STORE.get(name))[1]
    assert search.show(STORE.get(name), None, "digit 3")["rows"]


def test_only_names_of_models_are_opened(hub: Hub, small_run: Path) -> None:
    """A page could send anything, a folder of this machine too."""
    for name in (str(small_run), "../runs/x", "nobody/nothing", ""):
        for look_up in (STORE.config, STORE.folder, STORE.get):
            with pytest.raises(UserError, match="There is no model"):
                look_up(name)


def test_a_damaged_one_is_left_out(hub: Hub) -> None:
    hub.add(RUN, files_of(ROOT / "checkpoints" / "fashion-simclr"))
    folder = pull(RUN)
    assert len([name for name in STORE.names() if RUN in name]) == 1
    file = folder.record_file.resolve()
    file.chmod(0o644)
    file.write_text("{")
    assert not [name for name in STORE.names() if RUN in name]


def test_a_public_encoder_in_every_view(hub: Hub, vit: Path) -> None:
    hub.add(ENCODER, published(vit))
    folder = fetch_encoder(ENCODER, "digits")
    name = folder.name
    assert name not in STORE.names(), "before it has looked at the images"
    list(encode_dataset(folder))
    assert name in STORE.names()
    assert [row["title"] for row in search.show(STORE.get(name), None, "digit 3")["rows"]] == ["Trained", "Raw pixels"]
    assert map.show(STORE.get(name), "pca", "embedding", "class", "")["count"] == 1797
    with pytest.raises(UserError, match="The untrained network of"):
        map.show(STORE.get(name), "pca", "untrained", "class", "")
    with pytest.raises(UserError, match="by a loss that is not recorded"):
        map.colored(STORE.get(name), "feature", "loss")
    assert "A public encoder" in loss_tab.show(STORE.get(name), "own", 4, 1)["summary"]
    lab = temperature.show(STORE, STORE.get(name), 16, 1)
    assert "was trained elsewhere" in lab["summary"]
    assert not lab["trainedTemperature"], "its temperature is unknown"
    assert [place["name"] for place in temperature.places(STORE, STORE.get(name))] == [name]
    said = curves.show(STORE.get(name))[1]
    assert f"{ENCODER} at commit " in said
    assert "license mit" in said
    assert "kNN **" in said
    with pytest.raises(UserError, match="space must be one of trained, pixels"):
        api.Api(STORE).search(name, "digit 3", space="untrained")
    assert any(each["name"] == name and each["method"] == "pretrained" for each in api.Api(STORE).list_models())


def test_a_link_may_name_what_came_after_the_page_was_laid_out(hub: Hub) -> None:
    with gr.Blocks():
        kept = [LinkedControl("model", gr.Dropdown(["a"], value="a"), choices=lambda _: ["a", "b"])]
    (update,) = restore(kept, {"model": "b"})
    assert (update["value"], update["choices"]) == ("b", ["a", "b"])
    (update,) = restore(kept, {})
    assert update["choices"] == ["a", "b"]
    assert "value" not in update


def test_pulling_in_the_app(hub: Hub) -> None:
    commit = hub.add(RUN, files_of(ROOT / "checkpoints" / "fashion-simclr"))
    first, *_, last = steps(models.pull_run, Access(), STORE, f" {RUN} ")
    assert f"Fetching {RUN}: 0 MB so far" in first[0]
    assert last[1]["value"] == f"{RUN}@{commit[:8]}"
    assert RUN in last[2]
    hub.add("someone/cifar", files_of(ROOT / "checkpoints" / "cifar10-simclr"))
    with pytest.raises(UserError, match=r"is ready, but its data set cifar10 is missing"):
        steps(models.pull_run, Access(), STORE, "someone/cifar")


def test_what_visitors_of_a_space_may_bring(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add(RUN, files_of(ROOT / "checkpoints" / "fashion-simclr"))
    monkeypatch.setenv("SPACE_ID", "someone/explorer")
    monkeypatch.setattr(visitors, "MAX_MODEL", 1000)
    with pytest.raises(UserError, match="at most 0 MB"):
        steps(models.pull_run, Access(), STORE, RUN)
    monkeypatch.setattr(visitors, "MAX_MODEL", 10**8)
    steps(models.pull_run, Access(), STORE, RUN)
    monkeypatch.setattr(visitors, "ALL_MODELS", 1000)
    with pytest.raises(UserError, match="have filled the room for them"):
        steps(models.pull_run, Access(), STORE, RUN)


def test_visitors_of_a_space_take_turns(hub: Hub, vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add(ENCODER, published(vit))
    monkeypatch.setenv("SPACE_ID", "someone/explorer")
    monkeypatch.setattr(visitors, "TURN_S", 0.0)
    kept = []
    for _ in range(2):
        with pytest.raises(UserError, match="has run for 0 min, and others wait: the features so far are saved"):
            steps(models.import_encoder, Access(), STORE, "", ENCODER, "digits")
        kept.append(next(encode_dataset(fetch_encoder(ENCODER, "digits"))))
    assert 0 <= kept[0] < kept[1] < 1
    monkeypatch.setattr(visitors, "TURN_S", 60.0)
    assert "is ready and chosen" in steps(models.import_encoder, Access(), STORE, "", ENCODER, "digits")[-1][0]


def test_the_line_at_the_foot() -> None:
    own = host_line(Host(cores=8, memory_gb=32, gpu="NVIDIA T4", zero_gpu=False, space=False), Access())
    assert own.startswith("This page runs on a machine with 8 CPU cores and 32 GB of memory, and a GPU (NVIDIA T4).")
    assert "off on a Space" not in own
    assert "takes minutes" not in own
    lent = host_line(Host(cores=4, memory_gb=0, gpu="ZeroGPU", zero_gpu=True, space=True), Access(Options(host="0.0.0.0")))
    assert lent.startswith("This page runs on a machine with 4 CPU cores, and a GPU lent call by call (ZeroGPU)")
    assert "pulling and publishing are off" in lent
    assert "Private repositories are off on a Space" in lent
    looking = host_line(Host(cores=1, memory_gb=1, gpu="", zero_gpu=False, space=False), Access(Options(read_only=True)))
    assert "Read-only" in looking
