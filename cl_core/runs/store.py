"""Runs by name: shipped checkpoints and folders, opened for use."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.errors import UserError
from cl_core.models.embedding import Layer, embed
from cl_core.models.encoders.base import NEUTRAL, Statistics, check_size
from cl_core.models.encoders.registry import build_encoder
from cl_core.models.methods import METHODS, DataShape, Method
from cl_core.runs.folder import RunFolder, RunRecord, find_folder, run_paths
from cl_core.runs.hub_cache import find_pulled
from cl_core.runs.hub_names import is_hub_name
from cl_core.system.device import choose_device
from cl_core.system.files import fingerprint
from cl_core.system.paths import CHECKPOINTS, RUNS, encoder_runs_dir, trained_dir

UNTRAINED = "untrained"


@dataclasses.dataclass(frozen=True)
class Run:
    """A run opened for looking: its method in eval mode on the CPU, and the folder it came from."""

    folder: RunFolder
    record: RunRecord
    method: Method
    key: str

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def size(self) -> int:
        """Side of the images the encoder takes, in pixels."""
        return self.record.image_size


def shipped_runs() -> list[RunFolder]:
    """Folders of runs on images below `checkpoints/`, by name."""
    return [RunFolder(folder) for folder in run_paths(CHECKPOINTS, "images")]


def local_runs(root: Path = RUNS) -> list[RunFolder]:
    """Folders of runs on images below `root` (by default `runs/` where the command is called), by path."""
    return [RunFolder(folder) for folder in run_paths(root, "images")]


def trained_runs() -> list[RunFolder]:
    """Folders of runs where the page trains, by name; those deeper down, such as a sweep's, are not among them."""
    return [RunFolder(file.parent) for file in sorted(trained_dir().glob("*/run.json"))]


def encoder_runs() -> list[RunFolder]:
    """Public encoders that were wrapped as runs on this machine, by name."""
    return [RunFolder(folder) for folder in run_paths(encoder_runs_dir(), "images")]


def find_run(name: str) -> RunFolder:
    """A run shipped, trained or wrapped here by its name, any by its folder, a pulled one by OWNER/NAME[@REVISION].

    Raises:
        UserError: none of them exists.
    """
    if is_hub_name(name) and not Path(name).is_dir():
        pulled = find_pulled(name)
        if pulled is None:
            raise UserError(
                f"There is no folder {name} here and nothing was pulled under this name: give another folder, "
                f"or, if it is a run on the Hub, bring it with python -m cl_core pull {name}."
            )
        return pulled
    return find_folder(name, [*trained_runs(), *encoder_runs(), *shipped_runs()], RunFolder)


def open_run(folder: RunFolder) -> Run:
    """Build the run's method and load its weights.

    Raises:
        UserError: a file is missing, cut off, or does not belong to the settings beside it, or those ask for too much.
    """
    record = folder.read_record()
    with torch.device("meta"):
        check_size(_empty_method(record), f"The network of {folder.record_file}")
    method = _empty_method(record)
    try:
        method.load_inference_state(folder.read_model())
    except RuntimeError:
        raise UserError(f"{folder.model_file} does not fit the settings in run.json: both must come from one run.") from None
    method.eval()
    return Run(folder, record, method, fingerprint(folder.model_file))


def _empty_method(record: RunRecord, statistics: Statistics = NEUTRAL) -> Method:
    encoder = build_encoder(record.config.encoder, record.image_size, statistics)
    return METHODS[record.config.method](encoder, record.config, DataShape(record.instances, record.classes))


@cache
def load_run(name: str) -> Run:
    """`open_run(find_run(name))`, kept for the life of the process."""
    return open_run(find_run(name))


def untrained_like(run: Run) -> Run:
    """The weights `run` started from, drawn again from its seed.

    Its key names the encoder's weights alone: runs that started from the same encoder share what is
    computed from its features.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.record.config.seed)
        method = _empty_method(run.record, run.method.encoder.statistics).eval()
    record = run.record.model_copy(update={"state": "untrained", "step": 0})
    return Run(RunFolder(run.folder.path.with_name(UNTRAINED)), record, method, _digest(method.encoder))


def _digest(module: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for value in module.state_dict().values():
        digest.update(value.numpy().tobytes())
    return f"{UNTRAINED}-{digest.hexdigest()[:16]}"


def on_device(run: Run, device: torch.device) -> Method:
    """The run's method on a device; a copy where that is not the CPU, for others look at the run's own."""
    return run.method if device.type == "cpu" else copy.deepcopy(run.method).to(device)


def map_key(run: Run, dataset: Dataset) -> str:
    """Names what is computed of the data set's images by these weights."""
    return "-".join(filter(None, (dataset.name, dataset.digest, run.key)))


def run_features(run: Run, images: Tensor, layer: Layer = "feature") -> Tensor:
    """Features h or embeddings z, of length 1, of whole images (N, 3, H, W) uint8, on the fastest device: (N, D) float32."""
    device = choose_device()
    return embed(on_device(run, device), images, run.size, device, layer)
