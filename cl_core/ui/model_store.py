"""What the views look things up in: models and galleries, opened once and shared, never changed.

Everything here is read only, so one copy serves every visitor. A name always means the same weights: what is brought from
the Hub is called by its commit.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from cl_core.data.bundled import DATASETS
from cl_core.data.dataset import Dataset, image_choices
from cl_core.data.downloads import DOWNLOADS, get
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError, quoted
from cl_core.evaluation.clustering import kmeans_start, kmeans_steps
from cl_core.evaluation.neighbors import agreement
from cl_core.explore.gallery import Gallery, Neighbor, pixel_gallery, run_gallery
from cl_core.explore.per_image_loss import per_image_losses
from cl_core.models.embedding import Layer
from cl_core.models.methods import METHODS
from cl_core.runs.config import RunConfig
from cl_core.runs.export import pack_run
from cl_core.runs.feature_cache import features_of
from cl_core.runs.folder import RunFolder, RunRecord
from cl_core.runs.hub_cache import pulled_runs
from cl_core.runs.store import Run, encoder_runs, find_run, map_key, open_run, shipped_runs, trained_runs, untrained_like
from cl_core.text import text
from cl_core.ui.memo import Memo, Together
from cl_core.ui.uploads import uploads_dir
from cl_core.words.maps import Clusters, clusters
from cl_core.words.questions import WordSpace
from cl_core.words.run_folder import WordRun, find_words, open_words, shipped_words

Space = Literal["trained", "untrained", "pixels"]
SPACES: tuple[Space, ...] = ("trained", "untrained", "pixels")
MapLayer = Literal["feature", "embedding", "untrained"]
MAP_LAYERS: tuple[MapLayer, ...] = ("feature", "embedding", "untrained")
SHORT_COMMIT = 8  # digits
SEARCHED_TOGETHER = 16  # images; more take longer than they save


@dataclasses.dataclass(frozen=True)
class Query:
    """One image to search for, (1, 3, S, S) uint8; without: a group that is no answer, -1 for none."""

    image: Tensor
    top: int
    without: int


def _answers(gallery: Gallery, queries: list[Query]) -> list[list[Neighbor]]:
    features = gallery.embedder(torch.cat([query.image for query in queries]))
    without = torch.tensor([query.without for query in queries])
    found = gallery.search(features, max(query.top for query in queries), without)
    return [answers[: query.top] for answers, query in zip(found, queries, strict=True)]


@dataclasses.dataclass(frozen=True)
class Searched:
    """A gallery, and the questions that are put to it together."""

    gallery: Gallery
    together: Together[Query, list[Neighbor]]

    @classmethod
    def of(cls, gallery: Gallery) -> Searched:
        return cls(gallery, Together(partial(_answers, gallery), SEARCHED_TOGETHER))


# As many as a page shows at once, and some: what a visitor adds takes the place of what was not used for longest.
_runs: Memo[Run] = Memo(64)
_untrained: Memo[Run] = Memo(64)
_galleries: Memo[Searched] = Memo(48, 2e9, measure=lambda each: each.gallery.features.nbytes)
_shown: Memo[Tensor] = Memo(200)
_zips: Memo[Path] = Memo(8, drop=lambda path: shutil.rmtree(path.parent, ignore_errors=True))
_choices: Memo[dict[str, int]] = Memo(16)
_words: Memo[WordRun] = Memo(8)
_spaces: Memo[WordSpace] = Memo(8)
_groups: Memo[Clusters] = Memo(8)


@cache
def _shipped_folders() -> dict[str, RunFolder]:
    return {folder.name: folder for folder in shipped_runs()}


@cache
def _shipped() -> dict[str, RunConfig]:
    """Settings of the shipped checkpoints, those of one data set together, in the order of the methods."""
    datasets, methods = [*DATASETS, *DOWNLOADS], list(METHODS)
    configs = {name: folder.read_record().config for name, folder in _shipped_folders().items()}
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
    """Shipped checkpoints whose images are on this machine."""
    here = dataset_names()
    return [name for name, config in _shipped().items() if config.dataset in here]


def checkpoint_names() -> list[str]:
    """Models whose images are on this machine: shipped, trained here, runs of the Hub at their commit, public encoders."""
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
    # Most questions are about a shipped one: the folders where others come and go are not looked through for it.
    known = _shipped() if name in _shipped() else _configs()
    if name not in known:
        raise UserError(text("models.gone", name=quoted(name)))
    return known[name]


def folder(name: str) -> RunFolder:
    """The files of the model `name`.

    Raises: as `config`.
    """
    if name in _shipped_folders():
        return _shipped_folders()[name]
    config(name)
    return find_run(name)


def trained_here(name: str) -> bool:
    """Whether the model was trained by a method of ours, and so began as a network we can draw again."""
    return METHODS[config(name).method].trainable


def spaces(name: str) -> tuple[Space, ...]:
    """In which spaces a search with the model makes sense."""
    return SPACES if trained_here(name) else ("trained", "pixels")


def waiting() -> dict[str, list[str]]:
    """Shipped checkpoints whose images are not on this machine, by data set."""
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


def _version(found: RunFolder) -> tuple[str, int, int]:
    """Changes when another run takes the folder's place."""
    try:
        now = found.model_file.stat()
    except OSError:
        return str(found.path), 0, 0
    return str(found.path), now.st_mtime_ns, now.st_size


def run(name: str) -> Run:
    """A model, opened.

    Raises: as `config`, or as opening its files.
    """
    found = folder(name)
    return _runs.get(_version(found), lambda: open_run(found))


def packed(name: str) -> Path:
    """A finished run as an archive to take along."""
    found = folder(name)
    # Where Gradio lets a browser read from.
    root = uploads_dir()
    root.mkdir(parents=True, exist_ok=True)
    return _zips.get(_version(found), lambda: pack_run(found, Path(tempfile.mkdtemp(prefix="run-", dir=root)) / f"{name}.zip"))


def untrained(name: str) -> Run:
    """The weights the checkpoint `name` started from."""
    trained = run(name)
    return _untrained.get(trained.key, lambda: untrained_like(trained))


def dataset(name: str) -> Dataset:
    """The data set the checkpoint `name` learned from."""
    return load_dataset(config(name).dataset)


def choices(data: Dataset) -> dict[str, int]:
    """`image_choices`, kept."""
    return _choices.get((data.name, data.digest), lambda: image_choices(data))


def gallery(name: str, space: Space) -> Gallery:
    """The checkpoint's data set in one of three spaces; the first call of each computes.

    Checkpoints that started from the same weights, or take images of the same size, share theirs.
    """
    return _searched(name, space).gallery


def _searched(name: str, space: Space) -> Searched:
    data = dataset(name)
    if space == "pixels":
        size = run(name).size
        return _galleries.get((data.name, data.digest, size), lambda: Searched.of(pixel_gallery(data, size)))
    chosen = run(name) if space == "trained" else untrained(name)
    return _galleries.get(map_key(chosen, data), lambda: Searched.of(run_gallery(chosen, data)))


def search(name: str, space: Space, image: Tensor, top: int, without: int | None = None) -> list[Neighbor]:
    """The `top` groups of the checkpoint's data set most like an image (1, 3, S, S) uint8; of visitors who ask at the same
    time, all go through the encoder and the gallery together.

    without: a group that may not be an answer.
    """
    return _searched(name, space).together(Query(image, top, -1 if without is None else without))


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


def _of_shown(what: str, name: str, layer: MapLayer, make: Callable[[], Tensor]) -> Tensor:
    chosen, kind = layer_run(name, layer)
    return _shown.get((what, map_key(chosen, dataset(name)), kind), make)


def shown_features(name: str, layer: MapLayer) -> Tensor:
    """What the checkpoint makes of its data set's shown images, (P, D) of length 1."""
    data = dataset(name)
    chosen, kind = layer_run(name, layer)
    return _of_shown("features", name, layer, lambda: features_of(chosen, data, data.shown, kind))


def shown_agreement(name: str, layer: MapLayer) -> Tensor:
    """`agreement` of the shown images, (P,)."""
    data = dataset(name)

    def make() -> Tensor:
        return agreement(shown_features(name, layer), data.labels[data.shown], data.groups[data.shown])

    return _of_shown("agreement", name, layer, make)


def shown_clusters(name: str, layer: MapLayer) -> Tensor:
    """k-means of the shown images' features, as many clusters as there are families: (P,) int64."""

    def make() -> Tensor:
        points = shown_features(name, layer)
        *_, last = kmeans_steps(points, kmeans_start(points, len(dataset(name).family_names), 0))
        return last.assignment

    return _of_shown("clusters", name, layer, make)


def shown_losses(name: str) -> Tensor:
    """`per_image_losses` of the shown images, (P,).

    Raises:
        UserError: the loss a public encoder was trained with is not known.
    """
    if not trained_here(name):
        raise UserError(text("models.no_loss", name=name))
    data = dataset(name)
    return _of_shown("losses", name, "embedding", lambda: per_image_losses(run(name), data.images[data.shown]))


@cache
def word_names() -> list[str]:
    """Shipped checkpoints of words."""
    return [folder.name for folder in shipped_words()]


def words(name: str) -> WordRun:
    """A shipped checkpoint of words."""
    return _words.get(name, lambda: open_words(find_words(name)))


def word_space(name: str) -> WordSpace:
    """Where the checkpoint `name` answers questions."""
    return _spaces.get(name, lambda: WordSpace.of(words(name).vocabulary, words(name).vectors))


def word_clusters(name: str) -> Clusters:
    """The groups that color the map of the checkpoint `name`."""
    return _groups.get(name, lambda: clusters(words(name)))


def warm_up() -> None:
    """Open what a first visitor would wait for: the first checkpoint, then one of each other data set."""
    seen = set()
    for name in shipped_names():
        if dataset(name).name not in seen:
            seen.add(dataset(name).name)
            for space in SPACES:
                _try(partial(gallery, name, space))
    for name in word_names():
        _try(partial(word_clusters, name))


def _try(work: Callable[[], object]) -> None:
    """What cannot be opened now is said to whoever asks for it."""
    try:
        work()
    except UserError as error:
        print(f"warning: {error}", file=sys.stderr)
