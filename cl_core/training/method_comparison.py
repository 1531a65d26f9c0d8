"""Carries out a comparison of methods within a budget of time."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.augment.settings import AugmentConfig
from cl_core.augment.views import make_views
from cl_core.data.dataset import Dataset, first_of_each, group_representatives, subset
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError, quoted
from cl_core.evaluation.geometry import effective_rank
from cl_core.evaluation.knn import Split, has_split, knn_correct, split_of
from cl_core.evaluation.linear import evaluate_linear
from cl_core.networks.embedding import embed, embed_views, pixel_features
from cl_core.networks.methods import Method
from cl_core.runs.config import RunConfig
from cl_core.runs.events import StepDone
from cl_core.runs.feature_cache import cached_features, cached_rows
from cl_core.runs.folder import RunFolder
from cl_core.runs.store import encoder_runs, open_run
from cl_core.system.files import write_json
from cl_core.training.comparison_state import (
    FILE,
    MAX_EPOCHS,
    MAX_SEEDS,
    ComparisonConfig,
    ComparisonState,
    Entry,
    Kind,
    read_comparison,
    run_config,
)
from cl_core.training.distributed import World
from cl_core.training.loop import Training
from cl_core.training.recorder import BriefRecorder, resolve_settings
from cl_core.training.setup import build_method, check_data, image_size, steps_per_epoch, uses_labels

MAX_QUERIES, MAX_GALLERY = 2_000, 5_000  # images of the evaluation by kNN
PROBED_QUERIES, PROBED_GALLERY = 1_000, 2_000  # of these, images of the linear probe, which takes longer
PAIRED = 500  # images for the retrieval of one view by the other
PART = 100  # views that are embedded together
RANKED = 1_000  # images, about, of the effective rank
NEIGHBORS = 10  # whose agreement is measured
MEASURED_STEPS = 4  # of each method, for the estimate of time


class MethodComparison:
    """Carries out a comparison in a folder; entries that are there already are kept.

    Args:
        stop: whether to stop now; asked after each step.

    Raises:
        UserError: a method cannot learn from these images.
    """

    def __init__(
        self,
        folder: Path,
        config: ComparisonConfig,
        device: torch.device,
        stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.device, self._stop, self._clock = folder, device, stop, clock
        self.data = load_dataset(config.dataset)
        for method in config.methods:
            check_data(run_config(config, method, 1, 0, self.data), self.data)
        known = read_comparison(folder)
        self.state = known if known and known.config == config else ComparisonState(config=config, digest=self.data.digest)
        if self.state.digest not in ("", self.data.digest):  # earlier versions stored none
            raise UserError("training.changed_images", name=quoted(self.data.name))
        self._since = clock()
        self._before = self.state.spent
        labels_seen = any(uses_labels(run_config(config, method, 1, 0, self.data)) for method in config.methods)
        self.evaluated_rows = evaluated_rows(self.data, MAX_GALLERY, MAX_QUERIES)
        self.evaluated = subset(self.data, self.evaluated_rows)
        self.probed_rows = evaluated_rows(self.evaluated, PROBED_GALLERY, PROBED_QUERIES)
        self.probed = subset(self.evaluated, self.probed_rows)
        self.paired = paired_rows(self.data)
        state = self.state
        self.split: Split | None = None
        if has_split(self.evaluated, labels_seen):
            self.split = split_of(self.evaluated, labels_seen)
        if self.split:
            state.measure, state.queries, state.gallery = "knn", len(self.split.queries), len(self.split.gallery)
        else:
            state.measure, state.queries, state.gallery = "pairs", len(self.paired), len(self.paired)

    def run(self) -> ComparisonState:
        """Run until all entries are complete, the time is over or `stop` returns True; returns the stored state."""
        self._set(state="running")
        for work in self._works():
            if self._stop():
                self._set(state="stopped", doing="")
                return self.state
            work()
        if self._stop() and not self._complete():
            self._set(state="stopped", doing="")
            return self.state
        self._agree()
        self._set(state="finished", doing="")
        shutil.rmtree(self.folder / "runs", ignore_errors=True)
        return self.state

    def _complete(self) -> bool:
        done = {each.name for each in self.state.entries}
        return done >= {"pixels", "untrained", *self.state.config.methods}

    def _works(self) -> Iterator[Callable[[], None]]:
        """What is left to do; each is small, or stops by itself."""
        done = {each.name for each in self.state.entries}
        for name, work in (("pixels", self._pixels), ("untrained", self._untrained)):
            if name not in done:
                yield lambda name=name, work=work: self._enter(name, "baseline", work)  # type: ignore[misc]
        for folder in encoder_runs():
            try:
                record = folder.read_record()
            except UserError:  # a damaged one is not compared
                continue
            stored = torch.isin(torch.cat([self.evaluated_rows, self.paired]), cached_rows(self.data)).all()
            here = record.config.dataset == self.data.name and folder.snapshots_file.is_file() and stored
            if here and folder.name not in done:
                yield lambda folder=folder: self._enter(folder.name, "public", lambda: self._public(folder))  # type: ignore[misc]
        for method in self.state.config.methods:
            if method not in self.state.s_per_step:
                yield lambda method=method: self._measure(method)  # type: ignore[misc]
        for seed in range(MAX_SEEDS):
            for method in self.state.config.methods:
                if self._waits(method, seed) and self._affordable(method, seed):
                    yield lambda method=method, seed=seed: self._train(method, seed)  # type: ignore[misc]

    def _waits(self, method: str, seed: int) -> bool:
        entry = self._entry(method)
        return entry is None or (len(entry.right) <= seed and not entry.problem)

    def _entry(self, name: str) -> Entry | None:
        return next((each for each in self.state.entries if each.name == name), None)

    def _enter(self, name: str, kind: Kind, work: Callable[[], Any]) -> None:
        self._set(doing=name)
        started = self._clock()
        entry = Entry(name=name, kind=kind)
        try:
            self.add_result(entry, *work())
        except UserError as error:
            entry.problem = str(error)
        entry.seconds = self._clock() - started
        self.state.entries.append(entry)
        self._set()

    def add_result(self, entry: Entry, features: Tensor, first: Tensor | None, second: Tensor | None, paired: Tensor) -> None:
        """Add a result.

        Args:
            features: (M, D) of `evaluated`. first, second: of two views of the paired images. paired: of these whole.
        """
        features = F.normalize(features.float(), dim=1)
        if self.split:
            entry.right.append(knn_correct(features, self.evaluated, self.split).int().tolist())
            if has_split(self.probed, labels_seen=True):  # which the linear probe needs
                accuracy = evaluate_linear(features[self.probed_rows], self.probed).accuracy
                entry.linear = accuracy if entry.linear is None else entry.linear + (accuracy - entry.linear) / len(entry.right)
        else:
            assert first is not None and second is not None
            entry.right.append(pairs_found(first, second).int().tolist())
        entry.rank = effective_rank(features[:: max(1, len(features) // RANKED)])
        paired = F.normalize(paired.float(), dim=1)
        cosines = (paired @ paired.T).fill_diagonal_(-2)
        entry.neighbors = cosines.topk(min(NEIGHBORS, len(paired) - 1), dim=1).indices.tolist()

    def _views(self, size: int) -> tuple[Tensor, Tensor]:
        """Two views of each of the paired images, the same for all entries but for their size."""
        generator = torch.Generator().manual_seed(0)
        images = self.data.images[self.paired]
        first, second = (make_views(images, AugmentConfig(), size, generator)[0] for _ in range(2))
        return first, second

    def _pixels(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        size = image_size(run_config(self.state.config, self.state.config.methods[0], 1, 0, self.data), self.data)
        features = pixel_features(self.evaluated.images, size)
        mean = features.mean(0)
        first, second = (F.normalize(views.flatten(1) - mean, dim=1) for views in self._views(size))
        return features - mean, first, second, pixel_features(self.data.images[self.paired], size) - mean

    def _untrained(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        config = run_config(self.state.config, self.state.config.methods[0], 1, 0, self.data)
        return self.measure_network(build_method(config, self.data).to(self.device), image_size(config, self.data))

    def measure_network(self, method: Method, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        first, second = (_embed_parts(method, views.to(self.device)) for views in self._views(size))
        features = embed(method, self.evaluated.images, size, self.device)
        return features, first, second, embed(method, self.data.images[self.paired], size, self.device)

    def _public(self, folder: RunFolder) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor]:
        run = open_run(folder)
        first: Tensor | None = None
        second: Tensor | None = None
        if self.state.measure == "pairs":
            first, second = (_embed_parts(run.method, views) for views in self._views(run.size))
        features, paired = (cached_features(run, self.data, rows) for rows in (self.evaluated_rows, self.paired))
        return features, first, second, paired

    def _measure(self, method: str) -> None:
        """Time of a step, the median of a few real ones."""
        self._set(doing=method)
        times = [0.0]
        try:
            training = Training(run_config(self.state.config, method, MAX_EPOCHS, 0, self.data), self.data, self.device)
            for _ in range(MEASURED_STEPS):
                started = self._clock()
                training.take_step()
                times.append(self._clock() - started)
        except UserError as error:
            self.state.entries.append(Entry(name=method, kind="method", problem=str(error)))
        self.state.s_per_step[method] = sorted(times)[len(times) // 2]
        self._set()

    def epochs_of(self, method: str, seed: int = 0) -> int:
        """Epochs that fit into the time that is left for a method, 0 to `MAX_EPOCHS`."""
        config = self.state.config
        waiting = [each for each in config.methods if self._waits(each, seed)]
        untrained = self._entry("untrained")
        measuring = untrained.seconds if untrained else 0.0
        left = 60 * config.minutes - self._spent() - measuring * len(waiting)
        training = max(1, steps_per_epoch(run_config(config, method, 1, 0, self.data), self.data)) * self.state.s_per_step[method]
        return max(0, min(MAX_EPOCHS, int(left / max(1, len(waiting)) / max(training, 1e-9))))

    def _affordable(self, method: str, seed: int) -> bool:
        entry = self._entry(method)
        if seed == 0:
            return True  # at least one epoch of each method, however long it takes
        return entry is not None and self.epochs_of(method, seed) >= entry.epochs

    def _train(self, method: str, seed: int) -> None:
        """Train a method with one seed, or resume it; stops after a step if asked to."""
        entry = self._entry(method)
        new = entry or Entry(name=method, kind="method", epochs=max(1, self.epochs_of(method)))
        path = self.folder / "runs" / f"{method}-{seed}"
        started = self._clock()
        self._set(doing=method)
        try:
            if RunFolder(path).exists():  # of a part before a stop
                new.epochs = RunFolder(path).read_record().config.epochs
            if not self._train_run(path, run_config(self.state.config, method, new.epochs, seed, self.data)):
                return
            run = open_run(RunFolder(path))
            self.add_result(new, *self.measure_network(run.method.to(self.device), run.size))
        except UserError as error:  # such as a loss that is no longer finite
            new.problem = str(error)
        new.seconds += self._clock() - started
        if entry is None:
            self.state.entries.append(new)
        shutil.rmtree(path, ignore_errors=True)
        self._set(step=0, steps=0)

    def _train_run(self, path: Path, config: RunConfig) -> bool:
        """Train until the end; False if it was asked to stop before, and is saved."""
        begun = resolve_settings(RunFolder(path), RunConfig, config.model_dump())
        if begun is None:
            return True
        recorder = BriefRecorder(RunFolder(path), begun[0], self.device, resume=begun[1], world=World())
        shown = self._clock()
        with contextlib.closing(recorder.events()) as events:
            for event in events:
                if isinstance(event, StepDone):
                    if self._clock() - shown > 1:
                        shown = self._clock()
                        self._set(step=event.step, steps=recorder.training.total)
                    if event.step < recorder.training.total and self._stop():
                        return False
        return True

    def _agree(self) -> None:
        """How many of the nearest neighbors each entry shares with the others, on average."""
        found = [each for each in self.state.entries if each.neighbors]
        sets = [[set(row) for row in each.neighbors] for each in found]
        for i, each in enumerate(found):
            shared = [
                len(a & b) / max(1, len(a)) for j, other in enumerate(sets) if j != i for a, b in zip(sets[i], other, strict=True)
            ]
            each.agreement = sum(shared) / len(shared) if shared else None

    def _spent(self) -> float:
        return self._before + self._clock() - self._since

    def _set(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.state, name, value)
        self.state.spent = self._spent()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / FILE, self.state.model_dump())


def evaluated_rows(dataset: Dataset, gallery: int, queries: int) -> Tensor:
    """Rows of an evaluation, drawn at random: of both splits, or of the first image of each group without a test split."""
    if len(dataset.test):
        return torch.cat([_drawn(dataset.train, gallery), _drawn(dataset.test, queries)])
    return _drawn(group_representatives(dataset), gallery + queries)


def paired_rows(dataset: Dataset) -> Tensor:
    """Rows of the images of which one view is to find the other, (P,) int64, of different groups."""
    rows = dataset.test if len(dataset.test) else group_representatives(dataset)
    return _drawn(rows[first_of_each(dataset.groups[rows]).sort().values], PAIRED)


def _drawn(rows: Tensor, most: int) -> Tensor:
    """At most `most` of the rows, in their order, always the same ones."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    return rows[order[:most].sort().values]


def _embed_parts(method: Method, views: Tensor) -> Tensor:
    return torch.cat([embed_views(method, part) for part in views.split(PART)])


def pairs_found(first: Tensor, second: Tensor) -> Tensor:
    """Whether each image's first view is nearest to its own second view among all second views: (P,) bool.

    Args:
        first, second: (P, D), rows of length 1.
    """
    return (first @ second.T).argmax(1) == torch.arange(len(first))
