"""Maps of a run: images of its data set as points, by each projector."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.evaluation.pca import pca_axes
from cl_core.explore import projection
from cl_core.explore.projection import PROJECTORS, Projector
from cl_core.networks.embedding import Layer
from cl_core.runs.feature_cache import features_of
from cl_core.runs.folder import Snapshots
from cl_core.runs.store import Run, map_key


def map_points(
    run: Run, dataset: Dataset, projector: Projector, layer: Layer = "feature", features: Callable[[], Tensor] | None = None
) -> Tensor:
    """Points (P, 2) float32 of the images on the map (`Dataset.shown`), stored or computed.

    Args:
        features: returns their features (P, D); by default they are computed.
    """
    key = map_key(run, dataset) + ("" if layer == "feature" else f"-{layer}")
    compute = features or (lambda: features_of(run, dataset, dataset.shown, layer))
    return projection.project(compute, projector, run.folder.path, key)


def snapshot_points(snapshots: Snapshots) -> Tensor:
    """The monitor images at each snapshot, (S, P, 2) float32, all on the principal axes of the last one."""
    mean, axes = pca_axes(snapshots.embeddings[-1].float())
    return (snapshots.embeddings.float() - mean) @ axes


def compute_maps(run: Run, dataset: Dataset) -> Iterator[Projector]:
    """Compute the missing maps and store them in the run's folder; yields each projector when it is done."""
    missing = [p for p in PROJECTORS if not projection.is_saved(run.folder.path, map_key(run, dataset), p)]
    features = features_of(run, dataset, dataset.shown) if missing else None
    for projector in missing:
        assert features is not None
        points = projection.COMPUTE[projector](features)
        projection.save(points, run.folder.path / "projections", map_key(run, dataset), projector)
        yield projector
