"""A public encoder of timm's, from the Hub, wrapped as a run: every view and command takes it from there."""

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
from cl_core.errors import UserError
from cl_core.evaluation.knn import evaluate_knn, evaluate_pixels
from cl_core.hub.client import Unreachable
from cl_core.hub.fetch import LARGEST, Content, fetch
from cl_core.models.encoders.base import Statistics
from cl_core.models.encoders.timm import TimmName, trained_timm
from cl_core.models.methods import METHODS
from cl_core.runs.config import RunConfig
from cl_core.runs.feature_cache import compute_features, features_of, looked_at
from cl_core.runs.folder import RunFolder, RunRecord, Snapshots, round_floats
from cl_core.runs.hub_cache import snapshots
from cl_core.runs.hub_names import NEWEST, HubName, hub_name
from cl_core.runs.store import open_run
from cl_core.system.paths import encoder_runs_dir
from cl_core.training.loop import data_shape, monitor_rows
from cl_core.training.recorder import versions

PREFIX = "hf-hub:"
ENCODER = Content(
    files=("config.json", "model.safetensors"),
    needed=("config.json", "model.safetensors"),
    what="an encoder of timm's",
    read="only config.json and safetensors are read here",
    advice="give a repository in timm's layout, such as those of huggingface.co/timm",
)
LARGEST_SIDE = 256  # pixels; encoders made for larger images take USUAL_SIDE, unless another is asked for
USUAL_SIDE = 224
TEMPERATURE = 0.1
# What a description may ask of the architecture: taken up, said elsewhere too, or of no effect but in training.
ADOPTED = {
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
    """What timm's `pretrained_cfg` says of the images the weights were trained on."""

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
    """config.json as timm writes it."""

    model_config = ConfigDict(extra="ignore")

    architecture: str = Field(pattern=r"^[a-z0-9_]{1,80}$")
    num_classes: int | None = Field(None, ge=0)
    model_args: dict[str, Any] = Field(default_factory=dict)
    pretrained_cfg: Preprocessing


def wrap(text: str, dataset: str, image_size: int = 0, largest: int = LARGEST) -> RunFolder:
    """Bring the encoder OWNER/NAME[@REVISION] (or `hf-hub:` and that) here, as a run on the images of `dataset`.

    It looks at images as it was trained to: mean, deviation and crop are its own. What is wrapped already is the
    answer as it is, without asking the Hub.

    Args:
        image_size: side in pixels that the network takes; 0 is its own, or 224 where that is above 256.
        largest: bytes that are fetched at most.

    Raises:
        UserError: there is no such repository, it is no encoder of timm's or too large, its files are damaged, the size does
            not fit, or another encoder is here under the same name.
    """
    name = hub_name(text.removeprefix(PREFIX))
    data = load_dataset(dataset)
    folder = RunFolder(encoder_runs_dir() / _folder_name(name, dataset, image_size))
    if folder.exists() and folder.model_file.is_file():
        _check_same(folder, name, dataset)
        return folder
    path = _fetched(name, largest)
    description = _read_description(path / "config.json", name)
    record, weights = _build(description, path, name, data, image_size)
    folder.write_model(weights)
    folder.write_record(record)
    return folder


def _folder_name(name: HubName, dataset: str, image_size: int) -> str:
    owner, model = name.repository.split("/")
    parts = [model if owner == "timm" else f"{owner}.{model}"]
    parts += [name.revision.replace("/", "-")] if name.revision != NEWEST else []
    return "-".join([*parts, dataset, *([str(image_size)] if image_size else [])])


def _check_same(folder: RunFolder, name: HubName, dataset: str) -> None:
    """`a.b` of timm and `b` of a would both be called `a.b`: what a name means is what came first."""
    record = folder.read_record()
    source = record.metrics.get("source", {})
    if (source.get("repository"), source.get("revision"), record.config.dataset) != (name.repository, name.revision, dataset):
        raise UserError(
            f"{folder.name} is the name of {source.get('repository')} here, so {name} cannot have it: delete that one first."
        )


def _fetched(name: HubName, largest: int) -> Path:
    try:
        return fetch(name, ENCODER, largest)
    except Unreachable:
        before = [path for path in snapshots(name) if all((path / file).is_file() for file in ENCODER.needed)]
        if len(before) != 1:
            raise
        return before[0]


def _read_description(file: Path, name: HubName) -> Description:
    try:
        content = from_json(file.read_bytes())
        if "pretrained_cfg" not in content:  # as timm wrote it before 0.9
            content = {"architecture": content.pop("architecture"), "pretrained_cfg": content}
        found = Description.model_validate(content)
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        raise UserError(f"config.json of {name} does not describe an encoder of timm's: {ENCODER.advice}.") from None
    if found.pretrained_cfg.input_size[0] != 3 or min(found.pretrained_cfg.std) <= 0:
        raise UserError(f"{name} does not take images of three colors: choose another encoder.")
    asked = {key: value for key, value in found.model_args.items() if key not in ADOPTED}
    if asked:
        raise UserError(
            f"{name} needs settings of its architecture that are not known here ({', '.join(asked)}): choose another."
        )
    return found


def _build(
    description: Description, path: Path, name: HubName, data: Dataset, image_size: int
) -> tuple[RunRecord, dict[str, Any]]:
    pretrained = description.pretrained_cfg
    side = image_size or (own if (own := _own_side(description)) <= LARGEST_SIDE else USUAL_SIDE)
    pool = description.model_args.get("global_pool")
    timm_name = TimmName(description.architecture, side, pool)
    view = math.floor(side / pretrained.crop_pct)  # as timm does: the shorter side, then the middle is cut out
    config = _config(data.name, timm_name, view)
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
        image_size=view,
        instances=shape.instances,
        classes=shape.classes,
        state="finished",
        versions=versions(),
        metrics={"source": source},
    )
    return record, method.inference_state()


def _config(dataset: str, name: TimmName, view: int) -> RunConfig:
    try:
        return RunConfig(dataset=dataset, method="pretrained", encoder=str(name), image_size=view, temperature=TEMPERATURE)
    except ValidationError:
        raise UserError(
            f"{name.architecture} at {name.side} px is more than can be looked at here: choose a side up to 448."
        ) from None


def _own_side(description: Description) -> int:
    asked = description.model_args.get("img_size")
    return asked if isinstance(asked, int) else description.pretrained_cfg.input_size[-1]


def look(folder: RunFolder) -> Generator[float, None, None]:
    """Let a wrapped encoder look at its images, once for all views; yields the fraction done, 0 to 1.

    At the end the run has what trained ones have: kept embeddings, and accuracy where there are labels. Closing it keeps
    what is done; the next call goes on.
    """
    run, record = open_run(folder), folder.read_record()
    data = load_dataset(record.config.dataset)
    yield from compute_features(run, data)
    if folder.snapshots_file.is_file():
        return
    probe, everything = monitor_rows(data), torch.arange(len(data))
    folder.write_snapshots(Snapshots(probe, [0], features_of(run, data, probe).half()[None]))
    if data.labeled and len(looked_at(data)) == len(data):
        knn = evaluate_knn(features_of(run, data, everything), data)
        pixels = evaluate_pixels(data, record.image_size)
        measured = {"knn": dataclasses.asdict(knn), "pixels": dataclasses.asdict(pixels), "protocol": knn.protocol()}
        folder.write_record(record.model_copy(update={"metrics": record.metrics | round_floats(measured)}))
