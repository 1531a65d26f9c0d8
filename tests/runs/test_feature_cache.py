"""Features that are stored: of public encoders in batches (see tests/hub/test_encoder.py), of small ones as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cl_core.data.registry import load_dataset
from cl_core.runs import feature_cache
from cl_core.runs.feature_cache import cached_features, dataset_features
from cl_core.runs.store import load_run, run_features


def test_features_of_all_images_are_computed_once(small_run: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, data = load_run(str(small_run)), load_dataset("digits")
    first = {layer: dataset_features(run, data, layer) for layer in ("feature", "embedding")}
    assert torch.equal(first["feature"], run_features(run, data.images))
    assert torch.equal(first["embedding"], run_features(run, data.images, "embedding"))
    monkeypatch.setattr(feature_cache, "run_features", None)
    assert torch.equal(dataset_features(run, data), first["feature"])
    assert torch.equal(dataset_features(run, data, "embedding"), first["embedding"])


def test_damaged_features_are_computed_again(small_run: Path, own_cache: Path) -> None:
    run, data = load_run(str(small_run)), load_dataset("digits")
    first = dataset_features(run, data)
    for file in (own_cache / "features").iterdir():
        file.write_bytes(b"damaged")
    assert torch.equal(dataset_features(run, data), first)


def test_large_features_are_not_stored(small_run: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_cache, "MAX_STORED", 1000)
    dataset_features(load_run(str(small_run)), load_dataset("digits"))
    assert not list(own_cache.glob("features/*"))


def test_features_of_images_that_are_not_stored_are_computed(
    small_run: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large data set only the gallery and the images on the map are stored: the test split."""
    run, data = load_run(str(small_run)), load_dataset("digits")
    monkeypatch.setattr(feature_cache, "uses_batch_cache", lambda _: True)  # as of a public encoder
    monkeypatch.setattr(feature_cache, "cached_rows", lambda dataset: dataset.test)
    rows = torch.tensor([5, int(data.test[3]), 0, int(data.test[0])])
    expected = run_features(run, data.images[rows])
    assert torch.allclose(cached_features(run, data, rows), expected, atol=2e-3)  # stored as float16
    assert len(cached_features(run, data, data.test)) == len(data.test)
