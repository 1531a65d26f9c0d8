"""Maps are stored in the run folder, and snapshots projected onto the axes of the last one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from cl_core.data.registry import load_dataset
from cl_core.evaluation.pca import pca, pca_axes
from cl_core.explore import projection
from cl_core.explore.maps import compute_maps, map_key, map_points, snapshot_points
from cl_core.runs.folder import RunFolder, Snapshots
from cl_core.runs.store import open_run


def test_cached_maps_are_still_saved_to_the_run_folder(small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "COMPUTE", dict.fromkeys(projection.PROJECTORS, pca))
    folder = tmp_path / "run"
    shutil.copytree(small_run, folder)
    run, data = open_run(RunFolder(folder)), load_dataset("digits")
    seen = map_points(run, data, "pca")  # as the app does: into the cache
    assert not projection.is_saved(folder, map_key(run, data), "pca")
    assert list(compute_maps(run, data)) == list(projection.PROJECTORS)
    for projector in projection.PROJECTORS:
        assert projection.is_saved(folder, map_key(run, data), projector)
    saved = projection.cached(folder, map_key(run, data), "pca")
    assert saved is not None
    assert torch.allclose(saved / saved.abs().max(), seen / seen.abs().max(), atol=1e-3)
    assert list(compute_maps(run, data)) == []


def test_snapshots_share_the_axes_of_the_last() -> None:
    z = torch.nn.functional.normalize(torch.randn(3, 20, 8, generator=torch.Generator().manual_seed(0)), dim=2)
    found = snapshot_points(Snapshots(torch.arange(20), [0, 5, 9], z.half()))
    mean, axes = pca_axes(z[-1].half().float())
    for snapshot in range(3):
        assert torch.allclose(found[snapshot], (z[snapshot].half().float() - mean) @ axes, atol=1e-6)
    assert torch.allclose(found[-1].mean(0), torch.zeros(2), atol=1e-5)
