"""What the map sends: coordinates, colors, snapshots; and what it takes from the page, which could send anything."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cl_core.errors import UserError
from cl_core.evaluation.knn import evaluate_knn
from cl_core.evaluation.neighbors import nearest_others
from cl_core.explore import projection
from cl_core.explore.maps import layout_over_time, map_points, snapshot_points
from cl_core.explore.model import Model
from cl_core.explore.model_store import ModelStore
from cl_core.runs.folder import RunFolder
from cl_core.runs.store import find_run
from cl_core.ui.neighbors import NEIGHBORS
from cl_core.ui.packing import WHOLE
from cl_core.ui.tabs import map, search

STORE = ModelStore()

MODEL = "emoji-simclr-small"


def numbers(packed: str, kind: type[np.generic]) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(packed), kind).copy())


def event(**data: Any) -> Any:
    return SimpleNamespace(_data=data)


def test_points_are_the_map_within_a_step() -> None:
    value = map.show(STORE.get(MODEL), "tsne", "feature", "class", "emoji:5,9,70")
    data = STORE.get(MODEL).dataset
    points = map_points(STORE.get(MODEL).run, data, "tsne")
    sent = numbers(value["points"], np.int16).view(-1, 2).float()
    middle = (points.amax(0) + points.amin(0)) / 2
    half = float((points.amax(0) - points.amin(0)).max()) / 2
    assert torch.allclose(sent / WHOLE, (points - middle) / half, atol=2 / WHOLE)
    assert numbers(value["groups"], np.uint16).tolist() == data.families[data.on_map].tolist()
    assert [int(data.on_map[i]) for i in value["batch"]] == [5, 9, 70]
    wire = json.dumps({key: each for key, each in value.items() if key != "snapshots"})
    assert len(wire) < 20 * value["count"]  # 200 kB for 10,000


@pytest.mark.parametrize("name", [MODEL, "emoji-moco"], ids=["all images", "monitor images"])
def test_snapshots_are_those_of_the_run(name: str) -> None:
    sent = map.snapshots_value(STORE.get(name))
    snapshots = find_run(name).read_snapshots()
    assert sent is not None
    assert snapshots is not None
    layout = layout_over_time(find_run(name), len(STORE.get(name).dataset))
    assert (layout is None) == (name != MODEL)
    expected = snapshot_points(snapshots) if layout is None else layout.embeddings.float()
    shape = numbers(sent["points"], np.int16).view(expected.shape).float()
    half = float((expected.reshape(-1, 2).amax(0) - expected.reshape(-1, 2).amin(0)).max()) / 2
    moved = (expected[-1, 3] - expected[0, 3]) / half
    assert torch.allclose((shape[-1, 3] - shape[0, 3]) / WHOLE, moved, atol=3 / WHOLE)
    cells = snapshots.embeddings[:, sent["cells"]].float()
    cosines = numbers(sent["cosines"], np.int8).view(len(snapshots.steps), map.CELLS, map.CELLS)
    assert torch.allclose(cosines / 127, cells @ cells.transpose(1, 2), atol=0.005)
    assert sent["epochs"][-1] == find_run(name).read_record().config.epochs


@pytest.mark.parametrize("color", map.COLORS)
def test_every_color_says_something_of_every_point(color: map.Color) -> None:
    found = map.colored(STORE.get(MODEL), "feature", color)
    count = len(STORE.get(MODEL).dataset.on_map)
    if found["score"]:
        assert len(numbers(found["score"]["values"], np.float32)) == count
    else:
        groups = numbers(found["groups"], np.uint16)
        assert len(groups) == count
        assert int(groups.int().max()) < len(found["groupNames"])


def test_laying_out_reports_progress_and_ends_in_any_case(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    monkeypatch.setitem(projection.COMPUTE, "tsne", projection.COMPUTE["pca"])  # quick; t-SNE over time: test_maps
    monkeypatch.setattr(projection, "tsne_from", lambda features, start: start)
    shutil.copytree(small_run, tmp_path / "run")
    model = Model(RunFolder(tmp_path / "run"))
    steps = [update["laying"] for update, _ in map.lay_out_all(model)]
    assert steps == [0, *sorted(steps[1:-1]), -1] and max(steps) == 1
    update, number = list(map.lay_out_all(model))[-1]
    assert update["laying"] == -1 and not isinstance(number, int), "the features are gone: a notice, and the button works again"


def test_a_click_gives_the_neighbors_in_the_space_itself() -> None:
    rows, lines = map.neighbors(STORE.get(MODEL), "feature", event(id=11))
    data = STORE.get(MODEL).dataset
    features = STORE.get(MODEL).map_features("feature")
    _, positions = nearest_others(features, data.groups[data.on_map], torch.tensor([11]), NEIGHBORS)
    assert lines["lines"]["to"] == positions[0].tolist()
    assert [item["id"] for item in rows["rows"][0]["items"]] == [int(data.on_map[i]) for i in (11, *positions[0].tolist())]


@pytest.mark.parametrize("name", ["dog face", "waving hand sign"])  # the hand has variants in five skin tones
def test_map_and_search_show_both_cosines_of_the_same_images(name: str) -> None:
    """They order neighbors by different cosines; each names the other one beside its own, as the other one shows it."""
    model = STORE.get(MODEL)
    data, row = model.dataset, model.choices[name]
    features = model.embed([data.images[row], *data.images], output="torch")
    plain = (features[1:] @ features[0]).tolist()
    answers = search.show(model, None, name)["rows"]
    assert [row["title"] for row in answers] == ["Trained", "Untrained", "Raw pixels"]
    for item in answers[0]["items"][1:]:
        assert float(item["detail"].removeprefix("map ")) == pytest.approx(plain[item["id"]], abs=0.006)
    assert all("detail" not in item for item in answers[2]["items"][1:]), "the map has no pixels"

    by_search = {int(data.groups[each.row]): each.cosine for each in model.search_tensor(data.images[row : row + 1], 2000)}
    point = data.on_map.tolist().index(row)
    (near,) = map.neighbors(model, "feature", event(id=point))[0]["rows"]
    assert "second number" in near["hint"]
    for item in near["items"][1:]:
        assert float(item["note"]) == pytest.approx(plain[item["id"]], abs=0.006)
        searched = by_search[int(data.groups[item["id"]])]
        assert float(item["detail"].removeprefix("search ")) == pytest.approx(searched, abs=0.006)
    (by_head,) = map.neighbors(model, "embedding", event(id=point))[0]["rows"]
    assert "second number" not in by_head["hint"] and "detail" not in by_head["items"][1], "the head is not searched"


@pytest.mark.parametrize("sent", [None, -1, 10**9, "1", True, 1.5, [], {"a": 1}])
def test_what_is_no_point_gets_a_sentence(sent: Any) -> None:
    with pytest.raises(UserError, match="no such point"):
        map.neighbors(STORE.get(MODEL), "feature", event(id=sent))
    with pytest.raises(UserError, match=r"no such point|two images"):
        map.use_as_batch(STORE.get(MODEL), event(ids=sent))
    with pytest.raises(UserError, match="no such point"):
        map.search_for(STORE.get(MODEL), event(id=sent))


def test_a_selection_becomes_the_batch() -> None:
    assert map.use_as_batch(STORE.get(MODEL), event(ids=[3, 1, 2])) == "emoji:3,1,2"
    assert map.use_as_batch(STORE.get(MODEL), event(ids=list(range(100)))).count(",") == 31
    with pytest.raises(UserError, match="two images at least"):
        map.use_as_batch(STORE.get(MODEL), event(ids=[3]))


def test_the_projection_heads_map_names_what_the_encoder_reaches() -> None:
    encoder, head = (map.show(STORE.get(MODEL), "pca", layer, "class", "")["note"] for layer in ("feature", "embedding"))
    model = STORE.get(MODEL)
    reached = [evaluate_knn(model.features(layer), model.dataset).accuracy for layer in ("feature", "embedding")]
    assert "Searches compare" not in encoder
    assert f"they reach {100 * reached[0]:.1f} %, the output of the projection head {100 * reached[1]:.1f} %." in head


def test_when_groups_separate() -> None:
    """The first snapshot with half of the gain."""
    accuracies = ((0.0, 0.40), (3.5, 0.38), (10.0, 0.51), (20.0, 0.60))
    points = [{"kind": "snapshot", "epoch": epoch, "knn": {"accuracy": accuracy}} for epoch, accuracy in accuracies]
    found = map.separation_text([{"kind": "loss", "epoch": 0.1}, *points], 20)
    assert "from 40 to 60 %" in found
    assert "by epoch 10 of 20" in found
    assert map.separation_text(points[:2], 20) == ""
    assert map.separation_text([], 20) == ""
    shown = map.snapshots_value(STORE.get("emoji-simclr"))
    assert shown is not None
    assert "by epoch 9.9 of 300" in shown["note"]
