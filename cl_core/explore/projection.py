"""Projections for maps: features (N, D) -> points (N, 2), stored in the run folder or in the cache."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from cl_core.errors import UserError
from cl_core.evaluation.pca import pca
from cl_core.system.files import write_bytes
from cl_core.system.paths import cache_dir

Projector = Literal["pca", "tsne", "umap"]
PROJECTORS: tuple[Projector, ...] = ("pca", "tsne", "umap")


def tsne(features: Tensor) -> Tensor:
    """t-SNE (van der Maaten and Hinton 2008) on cosine distances, initialized by PCA, seeded: (N, 2) float32."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(features) - 1) / 3)
    model = TSNE(init="pca", metric="cosine", perplexity=perplexity, random_state=0, n_jobs=-1)
    return torch.from_numpy(model.fit_transform(features.numpy())).float()


def umap(features: Tensor) -> Tensor:
    """UMAP (McInnes et al. 2018) on cosine distances, seeded: (N, 2) float32."""
    import warnings

    from umap import UMAP

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value")  # with a seed it uses one thread
        model = UMAP(n_neighbors=min(15, len(features) - 1), metric="cosine", random_state=0)
        return torch.from_numpy(model.fit_transform(features.numpy())).float()


COMPUTE: dict[Projector, Callable[[Tensor], Tensor]] = {"pca": pca, "tsne": tsne, "umap": umap}


def _file(folder: Path, key: str, projector: Projector) -> Path:
    return folder / f"{projector}-{key}.safetensors"


def is_saved(run_folder: Path, key: str, projector: Projector) -> bool:
    """Whether the points are stored in the run folder, not only in the cache."""
    return _file(run_folder / "projections", key, projector).is_file()


def cached(run_folder: Path, key: str, projector: Projector) -> Tensor | None:
    """Stored points (N, 2) of the features `key`, from the run folder or the cache; None where there is no readable file."""
    for folder in (run_folder / "projections", cache_dir() / "projections"):
        try:
            points = safetensors.torch.load_file(_file(folder, key, projector))["points"].float()
        except (OSError, KeyError, SafetensorError):
            continue
        if points.ndim == 2 and points.shape[1] == 2 and bool(points.isfinite().all()):
            return points
    return None


def project(features: Callable[[], Tensor], projector: Projector, run_folder: Path, key: str) -> Tensor:
    """Points (N, 2) float32, stored ones if there are any; else they are computed and stored in the cache.

    Args:
        features: returns the features (N, D); called only if the points must be computed.
        key: identifies the features: fingerprint of the weights, data set and rows.
    """
    points = cached(run_folder, key, projector)
    if points is None:
        points = COMPUTE[projector](features())
        with contextlib.suppress(UserError):  # a full disk costs time, not the result
            save(points, cache_dir() / "projections", key, projector)
    return points


def save(points: Tensor, folder: Path, key: str, projector: Projector) -> None:
    """Store points in half precision, scaled to a largest coordinate of 1; a screen resolves less."""
    scaled = points / points.abs().max().clamp(min=1e-12)
    write_bytes(_file(folder, key, projector), safetensors.torch.save({"points": scaled.half().contiguous()}))


def align(points: Tensor, reference: Tensor) -> Tensor:
    """Rotate, mirror and scale points (P, 2) to fit a reference (P, 2) of the same images (orthogonal Procrustes).

    Both are centered and scaled to mean square 1 first.
    """

    def standard(values: Tensor) -> Tensor:
        centered = values - values.mean(0)
        return centered / centered.square().sum(1).mean().sqrt().clamp(min=1e-12)

    own, target = standard(points), standard(reference)
    u, _, v = torch.linalg.svd(own.T @ target)
    return own @ u @ v
