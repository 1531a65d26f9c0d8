"""Maps are stored in the run folder, and snapshots projected onto the axes of the last one."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.evaluation.pca import pca, pca_axes
from cl_core.explore import projection
from cl_core.explore.maps import can_lay_out, compute_maps, features_key, lay_out, layout_over_time, map_points, snapshot_points
from cl_core.explore.model import Model
from cl_core.explore.regions import neighbor_preservation
from cl_core.runs.folder import RunFolder, Snapshots
from cl_core.runs.store import open_run


def test_cached_maps_are_still_saved_to_the_run_folder(small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "COMPUTE", dict.fromkeys(projection.PROJECTORS, pca))
    folder = tmp_path / "run"
    shutil.copytree(small_run, folder)
    run, data = open_run(RunFolder(folder)), load_dataset("digits")
    seen = map_points(run, data, "pca")  # as the app does: into the cache
    assert not projection.is_saved(folder, features_key(run, data), "pca")
    assert list(compute_maps(run, data)) == list(projection.PROJECTORS)
    for projector in projection.PROJECTORS:
        assert projection.is_saved(folder, features_key(run, data), projector)
    saved = projection.cached(folder, features_key(run, data), "pca")
    assert saved is not None
    assert torch.allclose(saved / saved.abs().max(), seen / seen.abs().max(), atol=1e-3)
    assert list(compute_maps(run, data)) == []


def test_there_are_at_most_as_many_clusters_as_images_on_the_map() -> None:
    features = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    model = SimpleNamespace(
        map_features=lambda layer: features,
        dataset=SimpleNamespace(family_names=list("abcde")),
        _of_map=lambda what, layer, make: make(),
    )
    assert sorted(Model.map_clusters(model).tolist()) == [0, 1, 2]  # type: ignore[arg-type]


def test_snapshots_share_the_axes_of_the_last() -> None:
    z = torch.nn.functional.normalize(torch.randn(3, 20, 8, generator=torch.Generator().manual_seed(0)), dim=2)
    found = snapshot_points(Snapshots(torch.arange(20), [0, 5, 9], z.half()))
    mean, axes = pca_axes(z[-1].half().float())
    for snapshot in range(3):
        assert torch.allclose(found[snapshot], (z[snapshot].half().float() - mean) @ axes, atol=1e-6)
    assert torch.allclose(found[-1].mean(0), torch.zeros(2), atol=1e-5)


def test_places_over_time_end_at_the_finished_map_and_keep_neighbors(small_run: Path, tmp_path: Path) -> None:
    """Each snapshot's places start from the next one's: groups stay where they are, and each keeps its own neighbors."""
    folder = tmp_path / "run"
    shutil.copytree(small_run, folder)
    run, data = open_run(RunFolder(folder)), load_dataset("digits")
    assert can_lay_out(run.folder), "training stores the features"
    assert layout_over_time(run.folder, len(data)) is None
    features = run.folder.read_snapshots(run.folder.features_file)
    assert features is not None and features.rows.tolist() == data.on_map.tolist()
    done = list(lay_out(run, data))
    assert done[0] == 0 and done[-1] == 1 and done == sorted(done)
    layout = layout_over_time(run.folder, len(data))
    assert layout is not None and layout.steps == features.steps
    finished = projection.standard(map_points(run, data, "tsne"))
    assert torch.allclose(layout.embeddings[-1].float(), finished, atol=2e-3)
    for points, z in zip(layout.embeddings, features.embeddings, strict=True):
        found = neighbor_preservation(points.float(), z.float(), data.labels[layout.rows], data.groups[layout.rows])
        assert found.neighbors > 0.3
    assert not can_lay_out(run.folder), "the features are no longer needed"
    with pytest.raises(UserError, match=r"features\.safetensors is missing"):
        list(lay_out(run, data))


def test_features_of_other_images_are_refused(small_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(small_run, folder)
    run, data = open_run(RunFolder(folder)), load_dataset("digits")
    foreign = Snapshots(torch.tensor([10**6]), [0, 5], torch.zeros(2, 1, 4).half())
    run.folder.write_snapshots(foreign, run.folder.features_file)
    with pytest.raises(UserError, match=r"features\.safetensors"):
        list(lay_out(run, data))
    assert can_lay_out(run.folder)
