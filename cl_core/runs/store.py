"""Find runs by name and load their models."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.errors import UserError, quoted
from cl_core.networks.embedding import Layer, embed
from cl_core.networks.encoders.base import NEUTRAL, Statistics, check_size
from cl_core.networks.encoders.registry import build_encoder
from cl_core.networks.methods import METHODS, DataShape, Method
from cl_core.runs.folder import RunFolder, find_folder, run_paths
from cl_core.runs.hub_cache import find_pulled
from cl_core.runs.hub_names import is_hub_name
from cl_core.runs.record import RunRecord
from cl_core.system.device import choose_device
from cl_core.system.files import fingerprint
from cl_core.system.paths import CHECKPOINTS, RUNS, encoder_runs_dir, trained_dir
from cl_core.system.seeding import seeded

UNTRAINED = "untrained"


@dataclasses.dataclass(frozen=True)
class Run:
    """A loaded run.

    Attributes:
        method: in eval mode on the CPU.
        key: hash of the weights.
    """

    folder: RunFolder
    record: RunRecord
    method: Method
    key: str

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def size(self) -> int:
        """Side of the encoder's input images in pixels."""
        return self.record.image_size


def shipped_runs() -> list[RunFolder]:
    """Runs on images below `checkpoints/`, sorted by name."""
    return [RunFolder(folder) for folder in run_paths(CHECKPOINTS, "images")]


def local_runs(root: Path = RUNS) -> list[RunFolder]:
    """Runs on images below `root`, by default `runs/` in the working directory, sorted by path."""
    return [RunFolder(folder) for folder in run_paths(root, "images")]


def trained_runs() -> list[RunFolder]:
    """Runs trained in the app, sorted by name; nested runs, such as those of a sweep, are excluded."""
    return [RunFolder(file.parent) for file in sorted(trained_dir().glob("*/run.json"))]


def encoder_runs() -> list[RunFolder]:
    """Public encoders on this machine, each stored as a run, sorted by name."""
    return [RunFolder(folder) for folder in run_paths(encoder_runs_dir(), "images")]


def find_run(name: str) -> RunFolder:
    """Find a run.

    Args:
        name: name of a shipped run, of one trained in the app or of a public encoder; path of a folder; or
            OWNER/NAME[@REVISION] of a pulled run.

    Raises:
        UserError: there is no such run.
    """
    if is_hub_name(name) and not Path(name).is_dir():
        pulled = find_pulled(name)
        if pulled is None:
            raise UserError("runs.not_pulled", name=quoted(name))
        return pulled
    return find_folder(name, [*trained_runs(), *encoder_runs(), *shipped_runs()], RunFolder)


def open_run(folder: RunFolder) -> Run:
    """Build the run's method and load its weights.

    Raises:
        UserError: a file is missing, damaged or does not fit the settings, or the network is too large.
    """
    record = folder.read_record()
    with torch.device("meta"):
        check_size(_build_method(record), UserError("runs.network", file=folder.record_file))
    method, weights = _build_method(record), folder.read_model()
    folder.check_types(weights, {name: value.dtype for name, value in method.state_dict().items()})
    try:
        method.load_inference_state(weights)
    except RuntimeError:
        raise UserError("runs.model_mismatch", file=folder.model_file) from None
    if not all(bool(value.isfinite().all()) for value in method.state_dict().values()):
        raise UserError("runs.not_finite", file=folder.model_file)
    method.eval()
    return Run(folder, record, method, fingerprint(folder.model_file))


def _build_method(record: RunRecord, statistics: Statistics = NEUTRAL) -> Method:
    """The method of a run with random weights."""
    encoder = build_encoder(record.config.encoder, record.image_size, statistics)
    return METHODS[record.config.method](encoder, record.config, DataShape(record.instances, record.classes))


@cache
def load_run(name: str) -> Run:
    """`open_run(find_run(name))`, cached for the life of the process."""
    return open_run(find_run(name))


def untrained_like(run: Run) -> Run:
    """`run` before training: its initial weights, recreated from the seed.

    Its key is a hash of the encoder only, so that runs with equal initial encoders share cached results.
    """
    with seeded(run.record.config.seed):
        method = _build_method(run.record, run.method.encoder.statistics).eval()
    record = run.record.model_copy(update={"state": "untrained", "step": 0})
    return Run(RunFolder(run.folder.path.with_name(UNTRAINED)), record, method, _digest(method.encoder))


def _digest(module: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for value in module.state_dict().values():
        digest.update(value.numpy().tobytes())
    return f"{UNTRAINED}-{digest.hexdigest()[:16]}"


def on_device(run: Run, device: torch.device) -> Method:
    """The run's method on a device; a copy unless that is the CPU, as the run is shared."""
    return run.method if device.type == "cpu" else copy.deepcopy(run.method).to(device)


def features_key(run: Run, dataset: Dataset) -> str:
    """Cache key of results computed from the data set's images with the run's weights."""
    return "-".join(filter(None, (dataset.name, dataset.digest, run.key)))


def run_features(run: Run, images: Tensor, layer: Layer = "feature") -> Tensor:
    """Features h or embeddings z of images (N, 3, H, W) uint8, scaled to length 1, on the fastest device: (N, D) float32."""
    device = choose_device()
    return embed(on_device(run, device), images, run.size, device, layer)
