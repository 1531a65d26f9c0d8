"""Features, neighbors, the encoder and the map as files, read again by other programs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import onnxruntime
import pandas
import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import NearestNeighbors

from cl_core.data.imported import Description, write_imported
from cl_core.errors import UserError
from cl_core.explore import files, tables
from cl_core.explore.model import Model
from cl_core.explore.model_store import ModelStore
from cl_core.networks.embedding import embed_views
from cl_core.runs import portable
from cl_core.runs.portable import export_encoder
from cl_core.runs.store import find_run, open_run

STORE = ModelStore()


@pytest.fixture(scope="module")
def model() -> Model:
    return STORE.get("fashion-simclr")


@pytest.fixture(scope="module")
def small(small_run: Path) -> Model:
    return Model(find_run(str(small_run)))


def test_features_in_three_formats(small: Model, tmp_path: Path) -> None:
    features, data = small.features().numpy(), small.dataset
    for suffix in tables.SUFFIXES:
        files.save(small, "features", tmp_path / f"f{suffix}")
    table = pandas.read_csv(tmp_path / "f.csv")
    assert list(table.columns[:4]) == ["row", "name", "class", "split"]
    assert np.abs(table.iloc[:, 4:].to_numpy() - features).max() < 1e-6
    assert table["name"].tolist() == data.names and table["split"].value_counts()["test"] == len(data.test)
    with np.load(tmp_path / "f.npz") as arrays:
        assert np.array_equal(arrays["features"], features) and arrays["names"].tolist() == data.names
    stored = pandas.read_parquet(tmp_path / "f.parquet")
    assert np.array_equal(np.stack(stored["feature"].to_list()), features)
    assert stored["class"].tolist() == [data.label_name(row) for row in range(len(data))]


def test_the_review_has_a_line_for_each_image(small: Model, tmp_path: Path) -> None:
    files.save(small, "review", tmp_path / "r.csv")
    found, data = pandas.read_csv(tmp_path / "r.csv", dtype={"class": str, "voted_class": str}), small.dataset
    assert found["row"].tolist() == small.review().rows.tolist()
    assert found["class"].tolist() == [data.label_name(row) for row in found["row"]]
    doubtful = found[found["class"] != found["voted_class"]]
    assert set(doubtful["row"]) == {each.row for each in small.review().doubtful_labels()}
    assert (doubtful["own_share"] <= doubtful["voted_share"]).all()


def test_neighbors_are_those_of_scikit_learn(small: Model, tmp_path: Path) -> None:
    files.save(small, "neighbors", tmp_path / "n.csv")
    found = pandas.read_csv(tmp_path / "n.csv")
    features = small.features().numpy()
    distances, rows = NearestNeighbors(n_neighbors=11, metric="cosine").fit(features).kneighbors(features)
    assert len(found) == 10 * len(features)
    cosines = found["cosine"].to_numpy().reshape(-1, 10)
    assert np.abs(cosines - (1 - distances[:, 1:])).max() < 1e-5
    same = found["neighbor"].to_numpy().reshape(-1, 10) == rows[:, 1:]
    assert same.mean() > 0.99, "but for ties"
    assert found["neighbor_name"].tolist() == [small.dataset.names[row] for row in found["neighbor"]]


def test_images_of_one_group_are_no_neighbors(tmp_path: Path) -> None:
    emoji = STORE.get("emoji-simclr")
    tables.write_neighbors(emoji, tmp_path / "n.csv", count=3)
    found, groups = pandas.read_csv(tmp_path / "n.csv"), emoji.dataset.groups.numpy()
    assert (groups[found["row"]] != groups[found["neighbor"]]).all()


@pytest.mark.parametrize("name", ["emoji-simclr", "emoji-simclr-small", "cifar10-moco"])
@pytest.mark.parametrize("suffix", portable.SUFFIXES)
def test_the_exported_encoder_gives_the_same_features(name: str, suffix: str, tmp_path: Path) -> None:
    run = open_run(find_run(name))
    path = tmp_path / f"encoder{suffix}"
    assert export_encoder(run, path) < 1e-4
    views = torch.rand(7, 3, run.size, run.size, generator=torch.Generator().manual_seed(1))
    expected = embed_views(run.method, views)
    if suffix == ".onnx":
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        found = torch.from_numpy(session.run(None, {"views": views.numpy()})[0])
        one = torch.from_numpy(session.run(None, {"views": views[:1].numpy()})[0])
    else:
        module = torch.export.load(path).module()
        found, one = module(views), module(views[:1])
    assert (found - expected).abs().max() < 1e-4 and (one - expected[:1]).abs().max() < 1e-4
    assert F.normalize(found, dim=1).allclose(found, atol=1e-5)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_file_that_gives_other_features_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portable, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match="differs by up to"):
        export_encoder(open_run(find_run("emoji-simclr")), tmp_path / "e.pt2")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("features", "f.txt", "cannot hold the features: give it one of the endings .csv, .npz, .parquet"),
        ("encoder", "e.csv", ".onnx, .pt2"),
        ("nothing", "f.csv", "choose one of features, neighbors, review, encoder, map"),
        ("features", "there.csv", "exists"),
    ],
)
def test_refusals(small: Model, tmp_path: Path, kind: str, name: str, message: str) -> None:
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(UserError, match=message):
        files.save(small, kind, tmp_path / name)
    assert (tmp_path / "there.csv").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_names_that_look_like_formulas_are_text(small: Model, own_cache: Path, tmp_path: Path) -> None:
    names = ["=1+1", "+x", "-5", "@a", "plain", "图像"]
    described = Description(title="x", license="", classes=["=c", "d"], names=names, train=6)
    write_imported("odd", small.dataset.images[:6], torch.tensor([0, 1] * 3), described)
    record = small.record.model_copy(update={"config": small.config.model_copy(update={"dataset": "odd"})})
    odd = Model(small.folder)
    odd.record = record
    tables.write_features(odd, tmp_path / "f.csv")
    with (tmp_path / "f.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert [row[1] for row in rows] == ["'=1+1", "'+x", "-5", "'@a", "plain", "图像"]
    assert {row[2] for row in rows} == {"'=c", "d"}
    assert all(len(row) == len(rows[0]) for row in rows) and float(rows[0][4]) == pytest.approx(
        float(odd.features()[0, 0]), abs=1e-6
    )


def test_the_map_is_one_file_without_addresses(small: Model, tmp_path: Path) -> None:
    files.save(small, "map", tmp_path / "m.html")
    page = (tmp_path / "m.html").read_text(encoding="utf-8")
    assert "http://" not in page and "https://" not in page and page.count("<script") == 2
    assert f"{len(small.dataset.on_map):,} images of" in page
