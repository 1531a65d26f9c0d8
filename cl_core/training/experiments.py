"""Three small experiments with SupCon: is a linear head better on a trained encoder than on a random one?

The published accuracies come from other splits, so margins are compared. Heads are trained on features, so the encoders
stay frozen.
"""

from __future__ import annotations

import copy
import dataclasses
import statistics
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_core.data.bundled import load_iris
from cl_core.data.dataset import Dataset
from cl_core.data.downloads import get as download
from cl_core.data.registry import load_dataset
from cl_core.losses import sup_con
from cl_core.networks.encoders.registry import build_encoder
from cl_core.networks.encoders.small import table_mlp
from cl_core.training.setup import image_statistics


@dataclasses.dataclass(frozen=True)
class SupervisedTask:
    """Training and test inputs (N, ...) float32, and their labels (N,) int64."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    classes: int


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Settings, and the accuracies that the source reports (None where it reports none).

    prepare: seed -> task and an initialized encoder. normalize: compare by cosine, not by dot product.
    """

    name: str
    prepare: Callable[[int], tuple[SupervisedTask, nn.Module]]
    temperature: float
    lr: float
    batch_size: int
    epochs: int
    normalize: bool
    head_lr: float
    source_trained: float
    source_random: float | None
    source_note: str
    head_epochs: int = 10

    def settings(self) -> str:
        """The settings in one line."""
        compared = "cosines" if self.normalize else "dot products"
        return (
            f"SupCon (out, {compared}, temperature {self.temperature:g}), SGD {self.lr:g}, batch {self.batch_size}, "
            f"{self.epochs} epochs, one view a row; head on frozen features: Adam {self.head_lr:g}, {self.head_epochs} epochs"
        )


@dataclasses.dataclass(frozen=True)
class ExperimentResult:
    """One list for each seed: test accuracies after each epoch of the head, and the encoder's mean loss in each epoch."""

    trained: list[list[float]]
    random: list[list[float]]
    losses: list[list[float]]

    def after(self, epoch: int) -> tuple[float, float]:
        """Mean accuracy over seeds on the trained and on the random encoder after `epoch` (>= 1) epochs of the head."""
        trained, random = (statistics.mean(seed[epoch - 1] for seed in runs) for runs in (self.trained, self.random))
        return trained, random


def _iris(seed: int) -> tuple[SupervisedTask, nn.Module]:
    """Standardized measurements; a random fifth of each species is the test part."""
    table = load_iris()
    generator = torch.Generator().manual_seed(seed)
    test = torch.zeros(len(table.labels), dtype=torch.bool)
    for label in table.labels.unique():
        rows = (table.labels == label).nonzero()[:, 0]
        test[rows[torch.randperm(len(rows), generator=generator)[: len(rows) // 5]]] = True
    mean, std = table.values[~test].mean(0), table.values[~test].std(0)
    values = (table.values - mean) / std
    torch.manual_seed(seed)
    task = SupervisedTask(values[~test], table.labels[~test], values[test], table.labels[test], len(table.classes))
    return task, table_mlp(values.shape[1])


def load_digits(full: bool = False) -> Dataset:
    """MNIST: the 10,000 bundled digits, or all 70,000, which are downloaded once (12 MB).

    Raises:
        UserError: the download fails, or a checksum does not match.
    """
    if not full:
        return load_dataset("mnist")
    download("mnist-full")
    return load_dataset("mnist-full")


def _digits(full: bool, encoder: str, seed: int) -> tuple[SupervisedTask, nn.Module]:
    dataset = load_digits(full)
    images = dataset.images.float() / 255
    torch.manual_seed(seed)
    network = build_encoder(encoder, dataset.size, image_statistics(dataset))
    train, test = dataset.train, dataset.test
    return SupervisedTask(images[train], dataset.labels[train], images[test], dataset.labels[test], len(dataset.classes)), network


def experiments(full: bool = False) -> dict[str, Experiment]:
    """The experiments by name; `full` as in `load_digits`."""
    cnn, mlp = partial(_digits, full, "cnn"), partial(_digits, full, "mlp")
    return {
        "iris": Experiment("iris", _iris, 0.1, 1.0, 16, 512, True, 0.1, 0.91, 0.78, "after one epoch of the head"),
        "mnist-cnn": Experiment("mnist-cnn", cnn, 10.0, 0.01, 64, 32, False, 1e-3, 0.989, 0.884, "full MNIST"),
        "mnist-mlp": Experiment("mnist-mlp", mlp, 10.0, 0.01, 64, 16, False, 1e-3, 0.97, None, "full MNIST"),
    }


def train_encoder(
    encoder: nn.Module, task: SupervisedTask, experiment: Experiment, seed: int, progress: Callable[[float], None]
) -> list[float]:
    """Train with SupCon, one view a row; returns the mean loss of each epoch. Batches without a positive pair are skipped."""
    optimizer = torch.optim.SGD(encoder.parameters(), lr=experiment.lr)
    generator = torch.Generator().manual_seed(seed)
    losses = []
    encoder.train()
    for _ in range(experiment.epochs):
        total = 0.0
        batches = [
            rows
            for rows in torch.randperm(len(task.train), generator=generator).split(experiment.batch_size)
            if len(task.train_labels[rows].unique()) < len(rows)
        ]
        for rows in batches:
            z = encoder(task.train[rows])
            loss = sup_con(z, task.train_labels[rows], experiment.temperature, normalize=experiment.normalize)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
        losses.append(total / len(batches))
        progress(losses[-1])
    return losses


@torch.no_grad()
def features_of(encoder: nn.Module, inputs: Tensor) -> Tensor:
    """Features (N, D) in eval mode, without gradient."""
    encoder.eval()
    return torch.cat([encoder(part) for part in inputs.split(1000)])


def train_head(encoder: nn.Module, task: SupervisedTask, experiment: Experiment, seed: int) -> list[float]:
    """Test accuracy of a linear head on frozen features after each epoch."""
    train, test = features_of(encoder, task.train), features_of(encoder, task.test)
    torch.manual_seed(seed)
    head = nn.Linear(train.shape[1], task.classes)
    optimizer = torch.optim.Adam(head.parameters(), lr=experiment.head_lr)
    generator = torch.Generator().manual_seed(seed)
    accuracies = []
    for _ in range(experiment.head_epochs):
        for rows in torch.randperm(len(train), generator=generator).split(experiment.batch_size):
            loss = F.cross_entropy(head(train[rows]), task.train_labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        accuracies.append((head(test).argmax(1) == task.test_labels).double().mean().item())
    return accuracies


def run_experiment(
    experiment: Experiment, seeds: int, progress: Callable[[float], None]
) -> tuple[ExperimentResult, SupervisedTask, tuple[nn.Module, nn.Module]]:
    """Train an encoder for each seed, and a head on it and on a random one.

    Args:
        progress: called with the mean loss after each epoch of an encoder.

    Returns:
        The outcome, and the last seed's task and encoders (trained, random).
    """
    outcome = ExperimentResult([], [], [])
    for seed in range(seeds):
        task, encoder = experiment.prepare(seed)
        random = copy.deepcopy(encoder)
        outcome.losses.append(train_encoder(encoder, task, experiment, seed, progress))
        outcome.trained.append(train_head(encoder, task, experiment, seed))
        outcome.random.append(train_head(random, task, experiment, seed))
    return outcome, task, (encoder, random)
