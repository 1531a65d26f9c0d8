"""A run beside what it must beat: the same network untrained, and the raw pixels."""

from __future__ import annotations

from cl_core.data.catalog import Dataset
from cl_core.embedding import pixel_features
from cl_core.evaluation.knn import KnnResult, evaluate_knn
from cl_core.retrieval import run_gallery
from cl_core.runs import Run, untrained_like


def compare_with_baselines(run: Run, dataset: Dataset) -> dict[str, KnnResult]:
    """kNN of `trained`, `untrained` and `pixels` on one data set, by one protocol."""
    pixels = pixel_features(dataset.pictures, run.size)
    return {
        "trained": evaluate_knn(run_gallery(run, dataset).features, dataset),
        "untrained": evaluate_knn(run_gallery(untrained_like(run), dataset).features, dataset),
        "pixels": evaluate_knn(pixels - pixels.mean(0), dataset),
    }
