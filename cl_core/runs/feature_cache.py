"""Stored features: of public encoders, which take minutes for a data set, in batches; of others for a whole data set at once.

Search, maps, neighbors and accuracy share the cache, so that each image is encoded once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from functools import lru_cache
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from cl_core.data.dataset import MAX_FULL_GALLERY, Dataset, gallery_rows
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.networks.embedding import Layer, embed
from cl_core.networks.methods import Method
from cl_core.runs.folder import RunFolder
from cl_core.runs.store import Run, features_key, on_device, open_run, run_features
from cl_core.system.device import choose_device
from cl_core.system.files import replace_file
from cl_core.system.paths import cache_dir
from cl_core.system.zero_gpu import ON_ZERO_GPU, on_zero_gpu

# Images per batch: some seconds on two cores, and well within the time limit of a ZeroGPU call.
BATCH, ZERO_GPU_BATCH = 128, 2048
SAVE_EVERY_S = 10.0
VERSION = 1  # of `dataset_features`: another one where the same weights give other features
MAX_STORED = 6e7  # bytes of a small encoder's features


def uses_batch_cache(run: Run) -> bool:
    """Whether features of some images are cached: of public encoders only. `dataset_features` stores those of others, too."""
    return not run.method.trainable and run.record.state != "untrained"


def cached_rows(dataset: Dataset) -> Tensor:
    """Rows whose features are cached, (R,) int64, ascending: all, or of a large data set the gallery and `shown`."""
    if len(dataset) <= MAX_FULL_GALLERY:
        return torch.arange(len(dataset))
    return torch.cat([gallery_rows(dataset), dataset.shown]).unique()


def fill_feature_cache(run: Run, dataset: Dataset) -> Generator[float, None, None]:
    """Compute the features that are missing in the cache; yields the fraction done, 0 to 1, after each batch.

    If the generator is closed early, the next call resumes after the last batch.
    """
    rows, file = cached_rows(dataset), _file(run, dataset)
    parts = [_read(file, len(rows))]
    done = saved = len(parts[0])
    saved_at = time.monotonic()
    try:
        while done < len(rows):
            yield done / len(rows)
            batch = rows[done : done + (ZERO_GPU_BATCH if ON_ZERO_GPU else BATCH)]
            parts.append(_features(str(run.folder.path), run.key, dataset.name, batch))
            done += len(parts[-1])
            if time.monotonic() - saved_at > SAVE_EVERY_S:
                _write(file, parts)
                saved, saved_at = done, time.monotonic()
    finally:
        if saved < done:
            _write(file, parts)
    yield 1.0


@on_zero_gpu
def _features(folder: str, key: str, dataset: str, rows: Tensor) -> Tensor:
    """Features (N, D) float16 of the images `rows`. Arguments are names, as this may run in another process.

    key: of the weights; another network may take the place of the one in the folder.
    """
    device = choose_device()
    method, size = _opened(folder, key, device)
    return embed(method, load_dataset(dataset).images[rows], size, device, precision="auto").half()


@lru_cache(maxsize=1)
def _opened(folder: str, _key: str, device: torch.device) -> tuple[Method, int]:
    run = open_run(RunFolder(Path(folder)))
    return on_device(run, device), run.size


def cached_features(
    run: Run, dataset: Dataset, rows: Tensor, layer: Layer = "feature", progress: Callable[[float], None] | None = None
) -> Tensor:
    """Features of images, (N, D) float32 of length 1, from the cache where `uses_batch_cache`.

    Args:
        rows: (N,) int64. Those outside `cached_rows` are computed at every call.
        progress: called with the fraction done, 0 to 1, while the cache is filled.
    """
    if not uses_batch_cache(run):
        return run_features(run, dataset.images[rows], layer)
    for fraction in fill_feature_cache(run, dataset):
        if progress:
            progress(fraction)
    cached = cached_rows(dataset)
    features = _read(_file(run, dataset), len(cached))
    if len(features) < len(cached):  # the cache is not writable
        return run_features(run, dataset.images[rows])
    found = features[torch.searchsorted(cached, rows).clamp(max=len(cached) - 1)].float()
    missing = ~torch.isin(rows, cached)
    if missing.any():
        found[missing] = run_features(run, dataset.images[rows[missing]])
    return torch.nn.functional.normalize(found, dim=1)


def dataset_features(run: Run, dataset: Dataset, layer: Layer = "feature") -> Tensor:
    """Features of all images of a data set, (N, D) float32 of length 1.

    A small encoder takes seconds for some thousand images, so its features are stored, too.
    """
    rows = torch.arange(len(dataset))
    if uses_batch_cache(run):
        return cached_features(run, dataset, rows, layer)
    file = _file(run, dataset).with_suffix(f".{layer}-{VERSION}.safetensors")
    features = _read(file, len(dataset))
    if len(features) < len(dataset):
        features = run_features(run, dataset.images[rows], layer)
        if features.nbytes <= MAX_STORED:
            _write(file, [features])
    return features


def _file(run: Run, dataset: Dataset) -> Path:
    return cache_dir() / "features" / f"{features_key(run, dataset)}.safetensors"


def _read(file: Path, most: int) -> Tensor:
    """Stored features (N, D); empty if the file is missing, damaged or longer than `most`."""
    try:
        features = safetensors.torch.load_file(file)["features"]
    except (OSError, KeyError, SafetensorError):
        return torch.zeros(0, 0)
    return features if len(features) <= most else features[:0]


def _write(file: Path, parts: list[Tensor]) -> None:
    content = {"features": torch.cat([part for part in parts if len(part)])}
    with contextlib.suppress(UserError):  # a full disk must not fail the computation
        replace_file(file, lambda temporary: safetensors.torch.save_file(content, temporary))
