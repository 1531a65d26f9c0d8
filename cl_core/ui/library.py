"""What the views look things up in: models and galleries, opened once and shared, never changed.

Everything here is read only, so one copy serves every visitor.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from functools import cache, wraps
from typing import Literal, ParamSpec, TypeVar

from torch import Tensor

from cl_core.data.catalog import DATASETS, Dataset, dataset_names, load_dataset
from cl_core.data.download import DOWNLOADS, get
from cl_core.embedding import Layer
from cl_core.evaluation.clustering import kmeans_start, kmeans_steps
from cl_core.methods import METHODS
from cl_core.neighbourhood import agreement
from cl_core.picture_loss import picture_losses
from cl_core.retrieval import Gallery, pixel_gallery, run_gallery
from cl_core.runs import Run, find_run, load_run, run_features, shipped_runs, untrained_like
from cl_core.training.config import RunConfig
from cl_core.words.maps import Clusters, clusters
from cl_core.words.questions import WordSpace
from cl_core.words.run_folder import WordRun, find_words, open_words, shipped_words

Space = Literal["trained", "untrained", "pixels"]
SPACES: tuple[Space, ...] = ("trained", "untrained", "pixels")
MapLayer = Literal["feature", "embedding", "untrained"]
MAP_LAYERS: tuple[MapLayer, ...] = ("feature", "embedding", "untrained")
P = ParamSpec("P")
R = TypeVar("R")


def _once(function: Callable[P, R]) -> Callable[P, R]:
    """Keep results; of visitors who ask for the same thing one computes and the others wait."""
    kept = cache(function)
    locks: defaultdict[tuple[object, ...], threading.Lock] = defaultdict(threading.Lock)

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with locks[args]:
            return kept(*args, **kwargs)  # type: ignore[arg-type]

    return wrapped


@cache
def _configs() -> dict[str, RunConfig]:
    """Settings of the shipped checkpoints, those of one data set together, in the order of the methods."""
    datasets, methods = [*DATASETS, *DOWNLOADS], list(METHODS)
    configs = {folder.name: folder.read_record().config for folder in shipped_runs()}
    order = sorted(configs, key=lambda name: (datasets.index(configs[name].dataset), methods.index(configs[name].method), name))
    return {name: configs[name] for name in order}


def checkpoint_names() -> list[str]:
    """Shipped checkpoints whose pictures are on this machine."""
    here = dataset_names()
    return [name for name, config in _configs().items() if config.dataset in here]


def waiting() -> dict[str, list[str]]:
    """Shipped checkpoints whose pictures are not on this machine, by data set."""
    here = dataset_names()
    found: dict[str, list[str]] = {}
    for name, config in _configs().items():
        if config.dataset not in here:
            found.setdefault(config.dataset, []).append(name)
    return found


_fetching = threading.Lock()


def fetch(name: str, progress: Callable[[float], None]) -> None:
    """Bring a data set onto this machine; of visitors who ask for it one fetches and the others wait.

    Raises:
        UserError: it cannot be fetched.
    """
    with _fetching:
        get(name, progress)


@_once
def run(name: str) -> Run:
    """A shipped checkpoint."""
    return load_run(name)


@_once
def untrained(name: str) -> Run:
    """The weights the checkpoint `name` started from."""
    return untrained_like(run(name))


@_once
def dataset(name: str) -> Dataset:
    """The data set the checkpoint `name` learned from."""
    return load_dataset(find_run(name).read_record().config.dataset)


@_once
def _trained_gallery(name: str) -> Gallery:
    return run_gallery(run(name), dataset(name))


@_once
def _untrained_gallery(dataset_name: str, key: str) -> Gallery:
    name = next(n for n in checkpoint_names() if dataset(n).name == dataset_name and untrained(n).key == key)
    return run_gallery(untrained(name), dataset(name))


@_once
def _pixel_gallery(dataset_name: str, size: int) -> Gallery:
    return pixel_gallery(load_dataset(dataset_name), size)


def gallery(name: str, space: Space) -> Gallery:
    """The checkpoint's data set in one of three spaces; the first call of each computes.

    Checkpoints that started from the same weights, or take pictures of the same size, share theirs.
    """
    data = dataset(name)
    if space == "pixels":
        return _pixel_gallery(data.name, run(name).size)
    return _trained_gallery(name) if space == "trained" else _untrained_gallery(data.name, untrained(name).key)


def layer_run(name: str, layer: MapLayer) -> tuple[Run, Layer]:
    """The weights and the layer of them that a map shows."""
    return (untrained(name), "feature") if layer == "untrained" else (run(name), layer)


@_once
def shown_features(name: str, layer: MapLayer) -> Tensor:
    """What the checkpoint makes of its data set's shown pictures, (P, D) of length 1."""
    data = dataset(name)
    chosen, kind = layer_run(name, layer)
    return run_features(chosen, data.pictures[data.shown], kind)


@_once
def shown_agreement(name: str, layer: MapLayer) -> Tensor:
    """`agreement` of the shown pictures, (P,)."""
    data = dataset(name)
    return agreement(shown_features(name, layer), data.labels[data.shown], data.groups[data.shown])


@_once
def shown_clusters(name: str, layer: MapLayer) -> Tensor:
    """k-means of the shown pictures' features, as many clusters as there are families: (P,) int64."""
    points = shown_features(name, layer)
    *_, last = kmeans_steps(points, kmeans_start(points, len(dataset(name).family_names), 0))
    return last.assignment


@_once
def shown_losses(name: str) -> Tensor:
    """`picture_losses` of the shown pictures, (P,)."""
    data = dataset(name)
    return picture_losses(run(name), data.pictures[data.shown])


@cache
def word_names() -> list[str]:
    """Shipped checkpoints of words."""
    return [folder.name for folder in shipped_words()]


@_once
def words(name: str) -> WordRun:
    """A shipped checkpoint of words."""
    return open_words(find_words(name))


@_once
def word_space(name: str) -> WordSpace:
    """Where the checkpoint `name` answers questions."""
    return WordSpace.of(words(name).vocabulary, words(name).vectors)


@_once
def word_clusters(name: str) -> Clusters:
    """The groups that colour the map of the checkpoint `name`."""
    return clusters(words(name))


def warm_up() -> None:
    """Open what a first visitor would wait for: the first checkpoint, then one of each other data set."""
    seen = set()
    for name in checkpoint_names():
        if dataset(name).name not in seen:
            seen.add(dataset(name).name)
            for space in SPACES:
                gallery(name, space)
    for name in word_names():
        word_clusters(name)
