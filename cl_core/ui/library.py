"""What the views look things up in: models and galleries, opened once and shared, never changed.

Everything here is read only, so one copy serves every visitor. A name always means the same weights: what is brought from
the Hub is called by its commit.
"""

from __future__ import annotations

import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable
from functools import cache, lru_cache, wraps
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from torch import Tensor

from cl_core.data.catalog import DATASETS, Dataset, dataset_names, load_dataset
from cl_core.data.download import DOWNLOADS, get
from cl_core.embedding import Layer
from cl_core.errors import UserError
from cl_core.evaluation.clustering import kmeans_start, kmeans_steps
from cl_core.export import pack_run
from cl_core.hub.pulled import pulled_runs
from cl_core.kept_features import features_of
from cl_core.methods import METHODS
from cl_core.neighbourhood import agreement
from cl_core.picture_loss import picture_losses
from cl_core.retrieval import Gallery, pixel_gallery, run_gallery
from cl_core.runs import Run, encoder_runs, find_run, load_run, shipped_runs, trained_runs, untrained_like
from cl_core.training.config import RunConfig
from cl_core.training.run_folder import RunFolder, RunRecord
from cl_core.ui.text import text
from cl_core.words.maps import Clusters, clusters
from cl_core.words.questions import WordSpace
from cl_core.words.run_folder import WordRun, find_words, open_words, shipped_words

Space = Literal["trained", "untrained", "pixels"]
SPACES: tuple[Space, ...] = ("trained", "untrained", "pixels")
MapLayer = Literal["feature", "embedding", "untrained"]
MAP_LAYERS: tuple[MapLayer, ...] = ("feature", "embedding", "untrained")
SHORT_COMMIT = 8  # digits
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
def _shipped() -> dict[str, RunConfig]:
    """Settings of the shipped checkpoints, those of one data set together, in the order of the methods."""
    datasets, methods = [*DATASETS, *DOWNLOADS], list(METHODS)
    configs = {folder.name: folder.read_record().config for folder in shipped_runs()}
    order = sorted(configs, key=lambda name: (datasets.index(configs[name].dataset), methods.index(configs[name].method), name))
    return {name: configs[name] for name in order}


@lru_cache(maxsize=1000)
def _read(path: Path, _written: int) -> RunRecord | None:
    try:
        return RunFolder(path).read_record()
    except UserError:
        return None  # damaged, or of words: `list` says so


def _record_of(folder: RunFolder) -> RunRecord | None:
    try:
        return _read(folder.path, folder.record_file.stat().st_mtime_ns)
    except OSError:
        return None


def _brought() -> dict[str, RunConfig]:
    """Settings of what was brought from the Hub to this machine: runs, then public encoders that have looked at everything."""
    folders: dict[str, RunFolder] = {f"{each.hub_name.repository}@{each.commit[:SHORT_COMMIT]}": each for each in pulled_runs()}
    folders |= {each.name: each for each in encoder_runs() if each.snapshots_file.is_file()}
    return {name: record.config for name, folder in folders.items() if (record := _record_of(folder))}


def trained_records() -> dict[str, RunRecord]:
    """What was trained on this machine, or is being trained, by name."""
    return {folder.name: record for folder in trained_runs() if (record := _record_of(folder))}


def _trained() -> dict[str, RunConfig]:
    """Settings of what was trained here to its end; before, a name would not mean the same weights every time."""
    return {name: record.config for name, record in trained_records().items() if record.state == "finished"}


def _configs() -> dict[str, RunConfig]:
    # The shipped ones come first, and their names keep their meaning.
    return _shipped() | _trained() | _brought() | _shipped()


def shipped_names() -> list[str]:
    """Shipped checkpoints whose pictures are on this machine."""
    here = dataset_names()
    return [name for name, config in _shipped().items() if config.dataset in here]


def checkpoint_names() -> list[str]:
    """Models whose pictures are on this machine: shipped, trained here, runs of the Hub at their commit, public encoders."""
    here = dataset_names()
    return [name for name, config in _configs().items() if config.dataset in here]


def own_names() -> list[str]:
    """Models that were trained on this machine."""
    others = _brought() | _shipped()
    return [name for name in checkpoint_names() if name not in others]


def config(name: str) -> RunConfig:
    """Settings of the model `name`, without opening it.

    Raises:
        UserError: there is no such model here, or no more.
    """
    known = _configs()
    if name not in known:
        raise UserError(text("models.gone", name=name))
    return known[name]


def folder(name: str) -> RunFolder:
    """The files of the model `name`.

    Raises: as `config`.
    """
    config(name)
    return find_run(name)


def trained_here(name: str) -> bool:
    """Whether the model was trained by a method of ours, and so began as a network we can draw again."""
    return METHODS[config(name).method].trainable


def spaces(name: str) -> tuple[Space, ...]:
    """In which spaces a search with the model makes sense."""
    return SPACES if trained_here(name) else ("trained", "pixels")


def waiting() -> dict[str, list[str]]:
    """Shipped checkpoints whose pictures are not on this machine, by data set."""
    here = dataset_names()
    found: dict[str, list[str]] = {}
    for name, settings in _shipped().items():
        if settings.dataset not in here:
            found.setdefault(settings.dataset, []).append(name)
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
    """A model, opened."""
    config(name)
    return load_run(name)


@_once
def packed(name: str) -> Path:
    """A finished run as an archive to take along."""
    # Where Gradio lets a browser read from.
    return pack_run(folder(name), Path(tempfile.mkdtemp(prefix="contrastive-explorer-run-")) / f"{name}.zip")


@_once
def untrained(name: str) -> Run:
    """The weights the checkpoint `name` started from."""
    return untrained_like(run(name))


@_once
def dataset(name: str) -> Dataset:
    """The data set the checkpoint `name` learned from."""
    return load_dataset(config(name).dataset)


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
    """The weights and the layer of them that a map shows; of an encoder without a head there is one.

    Raises:
        UserError: what a public encoder was before its training is not known.
    """
    if layer == "untrained":
        if not trained_here(name):
            raise UserError(text("models.no_untrained", name=name))
        return untrained(name), "feature"
    return run(name), layer if run(name).method.has_head else "feature"


@_once
def shown_features(name: str, layer: MapLayer) -> Tensor:
    """What the checkpoint makes of its data set's shown pictures, (P, D) of length 1."""
    data = dataset(name)
    chosen, kind = layer_run(name, layer)
    return features_of(chosen, data, data.shown, kind)


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
    """`picture_losses` of the shown pictures, (P,).

    Raises:
        UserError: the loss a public encoder was trained with is not known.
    """
    if not trained_here(name):
        raise UserError(text("models.no_loss", name=name))
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
    for name in shipped_names():
        if dataset(name).name not in seen:
            seen.add(dataset(name).name)
            for space in SPACES:
                gallery(name, space)
    for name in word_names():
        word_clusters(name)
