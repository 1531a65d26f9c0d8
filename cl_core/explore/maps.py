"""The map of a run: the data set's shown images as points, by each projector."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.evaluation.pca import pca_axes
from cl_core.explore import projection
from cl_core.explore.projection import PROJECTORS, Projector
from cl_core.models.embedding import Layer
from cl_core.runs.feature_cache import features_of
from cl_core.runs.folder import Snapshots
from cl_core.runs.store import Run, map_key


def map_points(
    run: Run, dataset: Dataset, projector: Projector, layer: Layer = "feature", features: Callable[[], Tensor] | None = None
) -> Tensor:
    """Points (P, 2) float32 of the data set's shown images, from where they were kept or computed.

    Args:
        features: gives their features (P, D), where they are at hand.
    """
    key = map_key(run, dataset) + ("" if layer == "feature" else f"-{layer}")
    compute = features or (lambda: features_of(run, dataset, dataset.shown, layer))
    return projection.project(compute, projector, run.folder.path, key)


def moments(snapshots: Snapshots) -> Tensor:
    """The kept images at each snapshot, (S, P, 2) float32, all in the basis of the last: what moves is the embedding."""
    mean, axes = pca_axes(snapshots.embeddings[-1].float())
    return (snapshots.embeddings.float() - mean) @ axes


def compute_maps(run: Run, dataset: Dataset) -> Iterator[Projector]:
    """Compute every map and keep it in the run's own folder; yields each projector when it is done."""
    missing = [p for p in PROJECTORS if not projection.is_kept(run.folder.path, map_key(run, dataset), p)]
    features = features_of(run, dataset, dataset.shown) if missing else None
    for projector in missing:
        assert features is not None
        points = projection.COMPUTE[projector](features)
        projection.save(points, run.folder.path / "projections", map_key(run, dataset), projector)
        yield projector
