"""A run beside its baselines: the same network untrained, and raw pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.evaluation.clustering import ClusteringResult, evaluate_clustering
from cl_core.evaluation.geometry import Geometry
from cl_core.evaluation.knn import KnnResult, evaluate_knn
from cl_core.evaluation.linear import LinearResult, evaluate_linear
from cl_core.networks.embedding import pixel_features, pixel_side
from cl_core.runs.store import Run, on_device, run_features, untrained_like
from cl_core.system.device import choose_device
from cl_core.training.setup import monitor_geometry, uses_labels


@dataclasses.dataclass(frozen=True)
class Report:
    """All measurements in one space; pixels have no embedding z, so no geometry."""

    knn: KnnResult
    linear: LinearResult
    clustering: list[ClusteringResult]
    geometry: Geometry | None


def compare_with_baselines(run: Run, dataset: Dataset, progress: Callable[[], None] = lambda: None) -> dict[str, Report]:
    """Reports for `trained`, `untrained` and `pixels` on one data set, with the same protocols.

    Args:
        progress: called after each of the nine measurements.
    """
    labels_seen = uses_labels(run.record.config)

    def report(features: Tensor, network: Run | None) -> Report:
        knn = evaluate_knn(features, dataset, labels_seen=labels_seen)
        progress()
        linear = evaluate_linear(features, dataset)
        progress()
        clustering = evaluate_clustering(features, dataset)
        progress()
        geometry = _geometry(network, dataset) if network else None
        return Report(knn, linear, clustering, geometry)

    pixels = pixel_features(dataset.images, pixel_side(run.size, len(dataset.images)))
    untrained = untrained_like(run)
    return {
        "trained": report(run_features(run, dataset.images), run),
        "untrained": report(run_features(untrained, dataset.images), untrained),
        "pixels": report(pixels - pixels.mean(0), None),
    }


def _geometry(run: Run, dataset: Dataset) -> Geometry:
    device = choose_device()
    return monitor_geometry(on_device(run, device), run.record.config, dataset, run.size, device)[0]
