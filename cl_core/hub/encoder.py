"""Import a public encoder of timm from the Hub as a run, for all tabs and commands."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from cl_core.data.dataset import Dataset
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError, quoted
from cl_core.evaluation.knn import evaluate_knn, evaluate_pixels, has_split
from cl_core.hub.client import Unreachable
from cl_core.hub.fetch import MAX_DOWNLOAD, Layout, fetch
from cl_core.networks.encoders.base import Statistics
from cl_core.networks.encoders.timm import TimmName, trained_timm
from cl_core.networks.methods import METHODS
from cl_core.runs.config import RunConfig
from cl_core.runs.feature_cache import cached_features, cached_rows, fill_feature_cache
from cl_core.runs.folder import RunFolder, Snapshots, round_floats
from cl_core.runs.hub_cache import set_reference, snapshot_folders
from cl_core.runs.hub_names import NEWEST, HubName, hub_name
from cl_core.runs.record import RunRecord
from cl_core.runs.store import open_run
from cl_core.system.paths import encoder_runs_dir
from cl_core.training.recorder import versions
from cl_core.training.setup import data_shape, monitor_rows

PREFIX = "hf-hub:"
ENCODER = Layout(
    kind="encoder",
    files=("config.json", "model.safetensors"),
    required=("config.json", "model.safetensors"),
)
MAX_SIDE = 256  # pixels; the default input side of encoders for larger images is DEFAULT_SIDE
DEFAULT_SIDE = 224
TEMPERATURE = 0.1
# Arguments of the architecture that a description may hold: used, redundant, or without effect outside training.
ALLOWED_ARGUMENTS = {
    "img_size",
    "global_pool",
    "num_classes",
    "in_chans",
    "drop_rate",
    "drop_path_rate",
    "proj_drop_rate",
    "attn_drop_rate",
}


class Preprocessing(BaseModel):
    """timm's `pretrained_cfg`: the images that the weights were trained on."""

    model_config = ConfigDict(extra="ignore")

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    input_size: tuple[int, int, int] = (3, 224, 224)
    crop_pct: float = Field(0.875, gt=0.1, le=1)
    num_classes: int = Field(1000, ge=0)
    classifier: str | tuple[str, ...] | None = None
    first_conv: str | tuple[str, ...] | None = None
    license: str | None = None


class Description(BaseModel):
    """The content of timm's config.json."""

    model_config = ConfigDict(extra="ignore")

    architecture: str = Field(pattern=r"^[a-z0-9_]{1,80}$")
    num_classes: int | None = Field(None, ge=0)
    model_args: dict[str, Any] = Field(default_factory=dict)
    pretrained_cfg: Preprocessing


def fetch_encoder(text: str, dataset: str, image_size: int = 0, largest: int = MAX_DOWNLOAD) -> RunFolder:
    """Download the encoder OWNER/NAME[@REVISION], optionally with the prefix `hf-hub:`, as a run on the images of `dataset`.

    Mean, standard deviation and crop are those of its pretraining. An encoder that is on this machine already is returned
    without access to the Hub.

    Args:
        image_size: side of the network's input in pixels; 0 takes its own, or 224 if that is above 256.
        largest: bytes to download at most.

    Raises:
        UserError: there is no such repository, it holds no encoder of timm or one that is too large, a file is damaged, the
            size does not fit, or another encoder has the same name here.
    """
    name = hub_name(text.removeprefix(PREFIX))
    data = load_dataset(dataset)
    folder = RunFolder(encoder_runs_dir() / _folder_name(name, dataset, image_size))
    if folder.exists() and folder.model_file.is_file():
        _check_same(folder, name, dataset)
        return folder
    path = _fetch(name, largest)
    description = _read_description(path / "config.json", name)
    record, weights = _build(description, path, name, data, image_size)
    folder.write_model(weights)
    folder.write_record(record)
    set_reference(name, path.name)
    return folder


def _folder_name(name: HubName, dataset: str, image_size: int) -> str:
    owner, model = name.repository.split("/")
    parts = [model if owner == "timm" else f"{owner}.{model}"]
    parts += [name.revision.replace("/", "-")] if name.revision != NEWEST else []
    return "-".join([*parts, dataset, *([str(image_size)] if image_size else [])])


def _check_same(folder: RunFolder, name: HubName, dataset: str) -> None:
    """Check that the folder holds this encoder: `timm/a.b` and `a/b` have the same folder name, the first one takes it."""
    record = folder.read_record()
    source = record.metrics.get("source", {})
    if (source.get("repository"), source.get("revision"), record.config.dataset) != (name.repository, name.revision, dataset):
        raise UserError("hub.name_taken", folder=folder.name, owner=quoted(source.get("repository")), name=str(name))


def _fetch(name: HubName, largest: int) -> Path:
    try:
        return fetch(name, ENCODER, largest)
    except Unreachable:
        complete = [path for path in snapshot_folders(name) if all((path / file).is_file() for file in ENCODER.required)]
        if len(complete) != 1:
            raise
        return complete[0]


def _read_description(file: Path, name: HubName) -> Description:
    try:
        content = from_json(file.read_bytes())
        if "pretrained_cfg" not in content:  # layout of timm before 0.9
            content = {"architecture": content.pop("architecture"), "pretrained_cfg": content}
        description = Description.model_validate(content)
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        raise UserError("hub.bad_description", name=str(name)) from None
    if description.pretrained_cfg.input_size[0] != 3 or min(description.pretrained_cfg.std) <= 0:
        raise UserError("hub.no_color_images", name=str(name))
    unsupported = [key for key in description.model_args if key not in ALLOWED_ARGUMENTS]
    if unsupported:
        raise UserError("hub.unsupported_arguments", name=str(name), arguments=quoted(", ".join(unsupported)))
    return description


def _build(
    description: Description, path: Path, name: HubName, data: Dataset, image_size: int
) -> tuple[RunRecord, dict[str, Any]]:
    pretrained = description.pretrained_cfg
    side = image_size or (own if (own := _own_side(description)) <= MAX_SIDE else DEFAULT_SIDE)
    pool = description.model_args.get("global_pool")
    timm_name = TimmName(description.architecture, side, pool)
    image_side = math.floor(side / pretrained.crop_pct)  # as in timm: resize to this side, then crop the center
    config = _config(data.name, timm_name, image_side)
    statistics: Statistics = (pretrained.mean, pretrained.std)
    shape = data_shape(config, data)
    cfg = pretrained.model_dump()
    if description.num_classes is not None:
        cfg["num_classes"] = description.num_classes
    encoder = trained_timm(timm_name, statistics, path / "model.safetensors", cfg)
    method = METHODS[config.method](encoder, config, shape)
    source = {
        "repository": name.repository,
        "revision": name.revision,
        "commit": path.name,
        "license": pretrained.license or "not stated",
        "parameters": sum(each.numel() for each in encoder.parameters()),
    }
    record = RunRecord(
        config=config,
        image_size=image_side,
        instances=shape.instances,
        classes=shape.classes,
        state="finished",
        versions=versions(),
        metrics={"source": source},
    )
    return record, method.inference_state()


def _config(dataset: str, name: TimmName, image_side: int) -> RunConfig:
    try:
        return RunConfig(dataset=dataset, method="pretrained", encoder=str(name), image_size=image_side, temperature=TEMPERATURE)
    except ValidationError:
        raise UserError("hub.side_too_large", name=name.architecture, side=name.side) from None


def _own_side(description: Description) -> int:
    side = description.model_args.get("img_size")
    return side if isinstance(side, int) else description.pretrained_cfg.input_size[-1]


def encode_dataset(folder: RunFolder) -> Generator[float, None, None]:
    """Compute the features of an imported encoder's data set; yields the fraction done, 0 to 1.

    At the end the run also has a snapshot and, if the images are labeled, its kNN accuracy. Closing the generator stores
    the features computed so far; the next call resumes.
    """
    run, record = open_run(folder), folder.read_record()
    data = load_dataset(record.config.dataset)
    yield from fill_feature_cache(run, data)
    if folder.snapshots_file.is_file():
        return
    monitored, everything = monitor_rows(data), torch.arange(len(data))
    if has_split(data, labels_seen=False) and len(cached_rows(data)) == len(data):
        knn = evaluate_knn(cached_features(run, data, everything), data)
        pixels = evaluate_pixels(data, record.image_size)
        measured = {"knn": dataclasses.asdict(knn), "pixels": dataclasses.asdict(pixels), "protocol": knn.protocol()}
        folder.write_record(record.model_copy(update={"metrics": record.metrics | round_floats(measured)}))
    # Last, as it marks the import as complete.
    folder.write_snapshots(Snapshots(monitored, [0], cached_features(run, data, monitored).half()[None]))
