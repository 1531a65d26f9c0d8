"""The runs behind the tab Keys: one data set, encoder and optimizer, keys of five origins."""

from __future__ import annotations

import functools
import threading
from typing import Any

import torch
import torch.nn.functional as F

from cl_core.data.registry import load_dataset
from cl_core.explore.keys import KeyHistory, Step, take_step
from cl_core.networks.methods.memory_bank import BankMethod
from cl_core.networks.methods.moco import MoCo
from cl_core.runs.folder import RunFolder
from cl_core.system.paths import ASSETS
from cl_core.training.loop import Training

FOLDER = ASSETS / "keys"
# Plain SGD at a constant rate: the optimizer has no state to ship, and keys drift until the end.
COMMON: dict[str, Any] = {
    "dataset": "emoji",
    "encoder": "cnn",
    "image_size": 32,
    "projection_hidden": 64,
    "projection_dim": 32,
    "temperature": 0.2,
    "epochs": 30,
    "batch_size": 64,
    "optimizer": "sgd",
    "lr": 0.2,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "schedule": "constant",
    "queue_size": 1024,
    "negatives": 1024,
    "bank_momentum": 0.0,
    "snapshots": 6,
    "precision": "float32",  # the same on every processor
}
PARADIGMS: dict[str, dict[str, Any]] = {
    "end-to-end": COMMON | {"method": "simclr"},
    "memory-bank": COMMON | {"method": "infonce-bank"},
    "moco-0": COMMON | {"method": "moco", "key_momentum": 0.0},
    "moco-0.99": COMMON | {"method": "moco", "key_momentum": 0.99},
    "moco-0.999": COMMON | {"method": "moco", "key_momentum": 0.999},
}
ANCHORS = 8  # of a step that are shown
MAX_STEPS = 30  # beyond the end of a run


class Paradigm:
    """One of the runs: the history of its keys, and the steps that follow its end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = RunFolder(FOLDER / name)
        self.record = self.folder.read_record()
        self.history = KeyHistory.read(self.folder.path / "keys.safetensors")
        self._lock = threading.Lock()
        self._training: Training | None = None
        self._steps: list[Step] = []

    def step(self, number: int) -> Step:
        """The step `number` after the end, from 0 to `MAX_STEPS` - 1; each is computed once.

        Raises:
            ValueError: there is no such step.
        """
        if not 0 <= number < MAX_STEPS:
            raise ValueError(f"number must be in 0 to {MAX_STEPS - 1}, not {number}")
        with self._lock:
            if self._training is None:
                self._training = resumed(self.folder)
            while len(self._steps) <= number:
                self._steps.append(take_step(self._training, ANCHORS))
            return self._steps[number]


@functools.cache
def paradigm(name: str) -> Paradigm:
    """The run `name` of `PARADIGMS`, opened once for all visitors."""
    return Paradigm(name)


def resumed(folder: RunFolder) -> Training:
    """The training of a run whose model file holds the whole state, after its last step."""
    record = folder.read_record()
    training = Training(record.config, load_dataset(record.config.dataset), torch.device("cpu"))
    method = training.method
    method.load_state_dict(folder.read_model())
    stored = method.queue if isinstance(method, MoCo) else method.bank.keys if isinstance(method, BankMethod) else None
    if stored is not None:
        stored.copy_(F.normalize(stored, dim=1))  # 8 bits change their length
    training.step = record.step
    return training
