"""The model store: names -> models, opened once and shared by all visitors.

A name always stands for the same weights: a run of the Hub is called by its commit, and a training run has a name here once
it is finished.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from pathlib import Path

from cl_core.data.bundled import DATASETS
from cl_core.data.downloads import DOWNLOADS, get
from cl_core.data.imported import imported_version
from cl_core.data.registry import dataset_names
from cl_core.errors import UserError, quoted
from cl_core.explore.caches import Caches
from cl_core.explore.model import SPACES, Model, version_of
from cl_core.networks.methods import METHODS
from cl_core.runs.config import RunConfig
from cl_core.runs.export import pack_run
from cl_core.runs.folder import RunFolder
from cl_core.runs.hub_cache import pulled_runs
from cl_core.runs.record import RunRecord
from cl_core.runs.store import encoder_runs, find_run, shipped_runs, trained_runs
from cl_core.system.memo import Memo

SHORT_COMMIT = 8  # digits
MAX_MODELS = 256


@lru_cache(maxsize=1000)
def _read_record(path: Path, _written: int) -> RunRecord | None:
    try:
        return RunFolder(path).read_record()
    except UserError:
        return None  # damaged, or a run on words: the command `list` reports it


def _record_of(folder: RunFolder) -> RunRecord | None:
    try:
        return _read_record(folder.path, folder.record_file.stat().st_mtime_ns)
    except OSError:
        return None


def trained_records() -> dict[str, RunRecord]:
    """Records of the runs that were trained on this machine, finished or not, by name."""
    return {folder.name: record for folder in trained_runs() if (record := _record_of(folder))}


class ModelStore:
    """Shipped models, those trained here, runs of the Hub at their commit, and public encoders, by name.

    Args:
        database: address of a PostgreSQL server with pgvector for large galleries; by default an embedded index.
    """

    def __init__(self, database: str = "") -> None:
        self._caches = Caches(database)
        self._models: Memo[Model] = Memo(MAX_MODELS, measure=lambda _: 0)
        self._archives: Memo[Path] = Memo(8, drop=lambda path: shutil.rmtree(path.parent, ignore_errors=True))
        self._fetching = threading.Lock()

    @cached_property
    def _shipped_folders(self) -> dict[str, RunFolder]:
        return {folder.name: folder for folder in shipped_runs()}

    @cached_property
    def _shipped(self) -> dict[str, RunConfig]:
        """Settings of the shipped models, by data set, then in the order of the methods."""
        datasets, methods = [*DATASETS, *DOWNLOADS], list(METHODS)
        configs = {name: folder.read_record().config for name, folder in self._shipped_folders.items()}
        order = sorted(
            configs, key=lambda name: (datasets.index(configs[name].dataset), methods.index(configs[name].method), name)
        )
        return {name: configs[name] for name in order}

    @staticmethod
    def _pulled() -> dict[str, RunConfig]:
        """Settings of runs pulled from the Hub, then of public encoders whose features are computed."""
        folders: dict[str, RunFolder] = {
            f"{each.hub_name.repository}@{each.commit[:SHORT_COMMIT]}": each for each in pulled_runs()
        }
        folders |= {each.name: each for each in encoder_runs() if each.snapshots_file.is_file()}
        return {name: record.config for name, folder in folders.items() if (record := _record_of(folder))}

    @staticmethod
    def _trained() -> dict[str, RunConfig]:
        return {name: record.config for name, record in trained_records().items() if record.state == "finished"}

    def _configs(self) -> dict[str, RunConfig]:
        # Shipped models come first, and no other run takes their names.
        return self._shipped | self._trained() | self._pulled() | self._shipped

    def shipped_names(self) -> list[str]:
        """Shipped models whose images are on this machine."""
        here = dataset_names()
        return [name for name, config in self._shipped.items() if config.dataset in here]

    def names(self, viewer: str | None = "") -> list[str]:
        """All models whose images are on this machine and may be seen, the shipped ones first.

        Args:
            viewer: a visitor of the app, who sees only their own of the images that have an owner; None sees all.
        """
        here = dataset_names(viewer)
        return [name for name, config in self._configs().items() if config.dataset in here]

    def own_names(self) -> list[str]:
        """Models trained on this machine."""
        others = self._pulled() | self._shipped
        return [name for name in self.names(None) if name not in others]

    def config(self, name: str) -> RunConfig:
        """Settings of the model `name`.

        Raises:
            UserError: there is no such model.
        """
        # Most calls are about a shipped model: the folders where others come and go are not searched for it.
        configs = self._shipped if name in self._shipped else self._configs()
        if name not in configs:
            raise UserError("models.gone", name=quoted(name))
        return configs[name]

    def folder(self, name: str) -> RunFolder:
        """The files of the model `name`.

        Raises:
            UserError: there is no such model.
        """
        if name in self._shipped_folders:
            return self._shipped_folders[name]
        self.config(name)
        return find_run(name)

    def get(self, name: str) -> Model:
        """The model `name`; another run in the same folder, or other images of the same name, are another model.

        Raises:
            UserError: there is no such model, or its run.json is damaged.
        """
        dataset = self.config(name).dataset
        folder = self._shipped_folders.get(name) or find_run(name)
        try:
            written = folder.record_file.stat().st_mtime_ns
        except OSError:
            written = 0
        key = name, version_of(folder), written, imported_version(dataset)
        return self._models.get(key, lambda: Model(folder, name, self._caches))

    def archive(self, name: str, root: Path) -> Path:
        """A finished run as a zip file below `root`, made once, and again if it was deleted.

        Raises:
            UserError: there is no such model, a file of it is damaged, or the disk is full.
        """
        folder = self.folder(name)
        key = version_of(folder)

        def pack() -> Path:
            try:
                root.mkdir(parents=True, exist_ok=True)
                place = Path(tempfile.mkdtemp(prefix="run-", dir=root))
            except OSError as error:
                raise UserError("system.not_written", path=root, reason=error.strerror or quoted(error)) from None
            try:
                return pack_run(folder, place / f"{name}.zip")
            except UserError:
                shutil.rmtree(place, ignore_errors=True)
                raise

        if not self._archives.get(key, pack).is_file():  # `root` is cleaned up now and then
            self._archives.forget(key)
        return self._archives.get(key, pack)

    def without_images(self) -> dict[str, list[str]]:
        """Shipped models whose images are not on this machine, by data set."""
        here = dataset_names()
        found: dict[str, list[str]] = {}
        for name, config in self._shipped.items():
            if config.dataset not in here:
                found.setdefault(config.dataset, []).append(name)
        return found

    def fetch(self, dataset: str, progress: Callable[[float], None]) -> None:
        """Download a data set; if several visitors want it, one downloads and the others wait.

        Raises:
            UserError: it cannot be downloaded.
        """
        with self._fetching:
            get(dataset, progress)

    def warm_up(self) -> None:
        """Open what a first visitor would wait for: the first model, with its galleries and features.

        Those of other data sets take a core for minutes while people look around; they are computed once somebody asks.
        """
        for name in self.shipped_names()[:1]:
            model = self.get(name)
            for space in SPACES:
                _warn_if_refused(partial(model.gallery, space))
            for layer in ("feature", "untrained"):
                _warn_if_refused(partial(model.features, layer))


def _warn_if_refused(work: Callable[[], object]) -> None:
    """A model that cannot be opened now raises again for the visitor who needs it."""
    try:
        work()
    except UserError as error:
        print(f"warning: {error}", file=sys.stderr)
