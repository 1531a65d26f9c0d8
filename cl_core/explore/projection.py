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
MIN_IMAGES = 5  # images; t-SNE and UMAP of fewer are their PCA
TSNE_SPREAD = 30.0  # standard deviation of the coordinates of a finished t-SNE of some thousand images


def tsne(features: Tensor) -> Tensor:
    """t-SNE (van der Maaten and Hinton 2008) on cosine distances, initialized by PCA, seeded: (N, 2) float32."""
    from sklearn.manifold import TSNE

    if len(features) < MIN_IMAGES:
        return pca(features)
    model = TSNE(init="pca", metric="cosine", perplexity=perplexity(len(features)), random_state=0, n_jobs=-1)
    return torch.from_numpy(model.fit_transform(features.numpy())).float()


def tsne_from(features: Tensor, start: Tensor, iterations: int = 500) -> Tensor:
    """t-SNE that starts from given points and stays near them: (N, 2) float32, for features much like those of the start.

    It leaves out the early exaggeration, which would move the groups to other places.

    Args:
        features: (N, D).
        start: (N, 2), points of the same images, as `tsne` gives them.
    """
    from sklearn.manifold import TSNE

    if len(features) < MIN_IMAGES:
        return pca(features)
    model = TSNE(
        init=(start / start.std().clamp(min=1e-12) * TSNE_SPREAD).numpy(),
        metric="cosine",
        perplexity=perplexity(len(features)),
        early_exaggeration=1.0,
        max_iter=iterations,
        random_state=0,
        n_jobs=-1,
    )
    return torch.from_numpy(model.fit_transform(features.numpy())).float()


def perplexity(count: int) -> float:
    """Number of neighbors to which t-SNE adapts the scale at each image."""
    return min(30.0, (count - 1) / 3)


def umap(features: Tensor) -> Tensor:
    """UMAP (McInnes et al. 2018) on cosine distances, seeded: (N, 2) float32."""
    import warnings

    if len(features) < MIN_IMAGES:
        return pca(features)
    from umap import UMAP

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value")  # with a seed it uses one thread
        model = UMAP(n_neighbors=min(15, len(features) - 1), metric="cosine", random_state=0)
        return torch.from_numpy(model.fit_transform(features.numpy())).float()


COMPUTE: dict[Projector, Callable[[Tensor], Tensor]] = {"pca": pca, "tsne": tsne, "umap": umap}


def _file(folder: Path, key: str, projector: Projector) -> Path:
    return folder / f"{projector}-{key}.safetensors"


def is_saved(run_folder: Path, key: str, projector: Projector, count: int | None = None) -> bool:
    """Whether the points, `count` of them if that is given, are stored in the run folder, not only in the cache."""
    return _stored(run_folder / "projections", key, projector, count) is not None


def cached(run_folder: Path, key: str, projector: Projector, count: int | None = None) -> Tensor | None:
    """Stored points (N, 2) of the features `key`, from the run folder or the cache; None where there is no readable file.

    Args:
        count: N, if it is known; a file with another number of points is of an earlier version.
    """
    for folder in (run_folder / "projections", cache_dir() / "projections"):
        points = _stored(folder, key, projector, count)
        if points is not None:
            return points
    return None


def _stored(folder: Path, key: str, projector: Projector, count: int | None) -> Tensor | None:
    try:
        points = safetensors.torch.load_file(_file(folder, key, projector))["points"].float()
    except (OSError, KeyError, SafetensorError):
        return None
    right = points.ndim == 2 and points.shape[1] == 2 and (count is None or len(points) == count)
    return points if right and bool(points.isfinite().all()) else None


def project(features: Callable[[], Tensor], projector: Projector, run_folder: Path, key: str, count: int | None = None) -> Tensor:
    """Points (N, 2) float32, stored ones if there are any; else they are computed and stored in the cache.

    Args:
        features: returns the features (N, D); called only if the points must be computed.
        key: identifies the features: fingerprint of the weights, data set and rows.
        count: as for `cached`.
    """
    points = cached(run_folder, key, projector, count)
    if points is None:
        points = rounded(COMPUTE[projector](features())).float()
        with contextlib.suppress(UserError):  # a full disk costs time, not the result
            save(points, cache_dir() / "projections", key, projector)
    return points


def save(points: Tensor, folder: Path, key: str, projector: Projector) -> None:
    """Store points as `rounded` gives them."""
    write_bytes(_file(folder, key, projector), safetensors.torch.save({"points": rounded(points).contiguous()}))


def rounded(points: Tensor) -> Tensor:
    """Points in half precision, scaled to a largest coordinate of 1; a screen resolves less."""
    return (points / points.abs().max().clamp(min=1e-12)).half()


def align(points: Tensor, reference: Tensor) -> Tensor:
    """Rotate, mirror and scale points (P, 2) to fit a reference (P, 2) of the same images (orthogonal Procrustes).

    Both are centered and scaled to mean square 1 first.
    """
    own, target = standard(points), standard(reference)
    u, _, v = torch.linalg.svd(own.T @ target)
    return own @ u @ v


def standard(points: Tensor) -> Tensor:
    """Points (P, 2), centered and scaled to mean square 1."""
    centered = points - points.mean(0)
    return centered / centered.square().sum(1).mean().sqrt().clamp(min=1e-12)
