"""Features of a data set by a large encoder, which takes minutes for them: computed in pieces, kept as they come.

Search, map, neighbors and accuracy all read these, so that each image goes through the encoder once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from functools import lru_cache
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from cl_core.data.dataset import SEARCHED_WHOLE, Dataset, searched_rows
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.models.embedding import Layer, embed
from cl_core.models.methods import Method
from cl_core.runs.folder import RunFolder
from cl_core.runs.store import Run, map_key, on_device, open_run, run_features
from cl_core.system.device import choose_device
from cl_core.system.files import replace_file
from cl_core.system.paths import cache_dir
from cl_core.system.zero_gpu import ON_ZERO_GPU, on_zero_gpu

# Images at once: some seconds on two cores; as many as a lent GPU does well within one call.
PIECE, ZERO_GPU_PIECE = 128, 2048
SAVE_EVERY_S = 10.0


def is_kept(run: Run) -> bool:
    """Whether the run's features are kept; those of small encoders are quicker to compute again."""
    return not run.method.trainable and run.record.state != "untrained"


def looked_at(dataset: Dataset) -> Tensor:
    """The images that views ask about, (R,) int64, ascending: all, or of a large set those searched or shown."""
    if len(dataset) <= SEARCHED_WHOLE:
        return torch.arange(len(dataset))
    return torch.cat([searched_rows(dataset), dataset.shown]).unique()


def compute_features(run: Run, dataset: Dataset) -> Generator[float, None, None]:
    """Compute what is not kept yet; yields the fraction done, 0 to 1, after every piece.

    Closing it after any piece keeps what is done; the next call goes on from there.
    """
    rows, file = looked_at(dataset), _file(run, dataset)
    parts = [_read(file, len(rows))]
    done = saved = len(parts[0])
    when = time.monotonic()
    try:
        while done < len(rows):
            yield done / len(rows)
            piece = rows[done : done + (ZERO_GPU_PIECE if ON_ZERO_GPU else PIECE)]
            parts.append(_features(str(run.folder.path), dataset.name, piece))
            done += len(parts[-1])
            if time.monotonic() - when > SAVE_EVERY_S:
                _write(file, parts)
                saved, when = done, time.monotonic()
    finally:
        if saved < done:
            _write(file, parts)
    yield 1.0


@on_zero_gpu
def _features(folder: str, dataset: str, rows: Tensor) -> Tensor:
    """Features (N, D) float16 of the images `rows`; by names, for it may run in another process."""
    device = choose_device()
    method, size = _opened(folder, device)
    return embed(method, load_dataset(dataset).images[rows], size, device, precision="auto").half()


@lru_cache(maxsize=1)
def _opened(folder: str, device: torch.device) -> tuple[Method, int]:
    run = open_run(RunFolder(Path(folder)))
    return on_device(run, device), run.size


def features_of(run: Run, dataset: Dataset, rows: Tensor, layer: Layer = "feature") -> Tensor:
    """Features of the data set's images `rows`, (N, D) float32 of length 1, from where they are kept or computed.

    Args:
        rows: (N,) int64, of those that are `looked_at`.
    """
    if not is_kept(run):
        return run_features(run, dataset.images[rows], layer)
    for _ in compute_features(run, dataset):
        pass
    known = looked_at(dataset)
    features = _read(_file(run, dataset), len(known))
    if len(features) < len(known):  # nothing can be kept here
        return run_features(run, dataset.images[rows])
    return torch.nn.functional.normalize(features[torch.searchsorted(known, rows)].float(), dim=1)


def _file(run: Run, dataset: Dataset) -> Path:
    return cache_dir() / "features" / f"{map_key(run, dataset)}.safetensors"


def _read(file: Path, most: int) -> Tensor:
    try:
        features = safetensors.torch.load_file(file)["features"]
    except (OSError, KeyError, SafetensorError):
        return torch.zeros(0, 0)
    return features if len(features) <= most else features[:0]


def _write(file: Path, parts: list[Tensor]) -> None:
    content = {"features": torch.cat([part for part in parts if len(part)])}
    with contextlib.suppress(UserError):  # a full disk costs time, not the answer
        replace_file(file, lambda temporary: safetensors.torch.save_file(content, temporary))
