"""A run beside what it must beat: the same network untrained, and the raw pixels."""

from __future__ import annotations

from cl_core.data.catalog import Dataset
from cl_core.evaluation.knn import KnnResult, evaluate_knn, evaluate_pixels
from cl_core.runs import Run, run_features, untrained_like


def compare_with_baselines(run: Run, dataset: Dataset) -> dict[str, KnnResult]:
    """kNN of `trained`, `untrained` and `pixels` on one data set, by one protocol."""
    return {
        "trained": evaluate_knn(run_features(run, dataset.pictures), dataset),
        "untrained": evaluate_knn(run_features(untrained_like(run), dataset.pictures), dataset),
        "pixels": evaluate_pixels(dataset, run.size),
    }
