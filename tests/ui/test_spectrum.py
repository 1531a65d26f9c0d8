"""The graph of neighbors that a map learns from, against scikit-learn."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import NearestNeighbors

from cl_core.explore.model_store import ModelStore
from cl_core.ui.tabs import spectrum
from cl_core.ui.tabs.spectrum import MAX_IMAGES, NEIGHBORS, neighbor_graph, show


def test_the_graph_is_that_of_scikit_learn() -> None:
    features = F.normalize(torch.randn(60, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    neighbors, pairs = neighbor_graph(features, 4)
    index = NearestNeighbors(n_neighbors=5).fit(features.numpy()).kneighbors(features.numpy(), return_distance=False)[:, 1:]
    assert neighbors.tolist() == index.tolist()
    expected = {(min(i, j), max(i, j)) for i, row in enumerate(index.tolist()) for j in row}
    assert {tuple(pair) for pair in pairs.tolist()} == expected and len(pairs) == len(expected)


def test_a_large_map_is_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ModelStore().get("emoji-simclr-small")
    for largest in (MAX_IMAGES, 500):
        monkeypatch.setattr(spectrum, "MAX_IMAGES", largest)
        value = show(model)
        assert value["count"] == min(largest, len(model.dataset.on_map)) == value["sprites"]["count"]
        for part, width in (("points", 2), ("neighbors", NEIGHBORS)):
            numbers = np.frombuffer(base64.b64decode(value[part]), np.int16)
            assert len(numbers) == width * value["count"]
        assert np.frombuffer(base64.b64decode(value["edges"]), np.int16).max() == value["count"] - 1
