"""The map of a run: the data set's shown pictures as points, by each projector."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from cl_core import projection
from cl_core.data.catalog import Dataset
from cl_core.projection import PROJECTORS, Projector
from cl_core.runs import Run, run_features


def map_key(run: Run, dataset: Dataset) -> str:
    return "-".join(filter(None, (dataset.name, dataset.digest, run.key)))


def map_points(run: Run, dataset: Dataset, projector: Projector) -> Tensor:
    """Points (P, 2) float32 of the data set's shown pictures, from where they were kept or computed."""
    return projection.project(
        lambda: run_features(run, dataset.pictures[dataset.shown]), projector, run.folder.path, map_key(run, dataset)
    )


def compute_maps(run: Run, dataset: Dataset) -> Iterator[Projector]:
    """Compute every map and keep it in the run's own folder; yields each projector when it is done."""
    missing = [p for p in PROJECTORS if not projection.is_kept(run.folder.path, map_key(run, dataset), p)]
    features = run_features(run, dataset.pictures[dataset.shown]) if missing else None
    for projector in missing:
        assert features is not None
        points = projection.COMPUTE[projector](features)
        projection.save(points, run.folder.path / "projections", map_key(run, dataset), projector)
        yield projector
