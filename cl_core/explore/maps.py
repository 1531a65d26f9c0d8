"""Maps of a run: images of its data set as points, by each projector."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.errors import UserError
from cl_core.evaluation.pca import pca_axes
from cl_core.explore import projection
from cl_core.explore.projection import PROJECTORS, Projector
from cl_core.networks.embedding import Layer
from cl_core.runs.feature_cache import cached_features
from cl_core.runs.folder import RunFolder, Snapshots
from cl_core.runs.store import Run, features_key


def map_points(
    run: Run, dataset: Dataset, projector: Projector, layer: Layer = "feature", features: Callable[[], Tensor] | None = None
) -> Tensor:
    """Points (P, 2) float32 of the images on the map (`Dataset.on_map`), stored or computed.

    Args:
        features: returns their features (P, D); by default they are computed.
    """
    key = features_key(run, dataset) + ("" if layer == "feature" else f"-{layer}")
    compute = features or (lambda: cached_features(run, dataset, dataset.on_map, layer))
    return projection.project(compute, projector, run.folder.path, key, len(dataset.on_map))


def snapshot_points(snapshots: Snapshots) -> Tensor:
    """The monitor images at each snapshot, (S, P, 2) float32, all on the principal axes of the last one."""
    mean, axes = pca_axes(snapshots.embeddings[-1].float())
    return (snapshots.embeddings.float() - mean) @ axes


def layout_over_time(folder: RunFolder, count: int) -> Snapshots | None:
    """Places on the map at each snapshot of the training, (S, P, 2) float16 as `embeddings`; None before `lay_out`.

    The last are those of the finished run's t-SNE.

    Args:
        count: images of the data set.

    Raises:
        UserError: the file is damaged, or its places are not those of different images of the data set.
    """
    layout = folder.read_snapshots(folder.layout_file)
    if layout is None:
        return None
    rows, places = layout.rows, layout.embeddings
    whole = len(layout.steps) > 0 and len(rows) > 0 and places.shape[2] == 2 and bool(places.isfinite().all())
    if not whole or int(rows.max()) >= count or len(rows.unique()) < len(rows):
        raise UserError("runs.odd_snapshots", file=folder.layout_file)
    return layout


def can_lay_out(folder: RunFolder) -> bool:
    """Whether the run is finished and its features over time are stored, from which `lay_out` computes the places."""
    return folder.features_file.is_file() and folder.read_record().state == "finished"


def lay_out(run: Run, dataset: Dataset) -> Iterator[float]:
    """Compute and store the places on the map at each snapshot; yields the fraction done, 0 to 1.

    t-SNE of each snapshot starts from the places at the next one, from the finished run back to the untrained one: images
    stay where they are unless their neighbors change, and the last places are those of the finished map. On the shipped run
    this keeps more neighbors than AlignedUMAP (docs/results.md).

    Raises:
        UserError: the run is not finished, its features are missing, damaged or not those of all snapshots, or the folder is
            not writable.
    """
    folder = run.folder
    history = folder.read_snapshots(folder.features_file)
    if history is None or run.record.state != "finished":
        raise UserError("maps.no_features", file=folder.features_file)
    yield 0.0
    finished = map_points(run, dataset, "tsne")
    kept = torch.isin(history.rows, dataset.on_map)
    rows = history.rows[kept]
    snapshots = folder.read_snapshots()
    if not bool(kept.any()) or (snapshots is not None and snapshots.steps != history.steps):
        raise UserError("runs.odd_snapshots", file=folder.features_file)
    place = torch.zeros(len(dataset), dtype=torch.long)
    place[dataset.on_map] = torch.arange(len(dataset.on_map))
    layouts = [finished[place[rows]]]
    for done, features in enumerate(history.embeddings[:-1].flip(0), 1):
        yield done / len(history.steps)
        layouts.insert(0, projection.tsne_from(features[kept].float(), layouts[0]))
    scaled = torch.stack([projection.standard(points) for points in layouts]).half()
    folder.write_snapshots(Snapshots(rows, history.steps, scaled), folder.layout_file)
    folder.features_file.unlink(missing_ok=True)
    yield 1.0


def compute_maps(run: Run, dataset: Dataset) -> Iterator[Projector]:
    """Compute the missing maps and store them in the run's folder; yields each projector when it is done."""
    key, count = features_key(run, dataset), len(dataset.on_map)
    missing = [p for p in PROJECTORS if not projection.is_saved(run.folder.path, key, p, count)]
    features = cached_features(run, dataset, dataset.on_map) if missing else None
    for projector in missing:
        assert features is not None
        points = projection.COMPUTE[projector](features)
        projection.save(points, run.folder.path / "projections", key, projector)
        yield projector
