"""One description of every setting: the command line, the app and `run.json` read it from here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cl_core.data.catalog import DATASETS, TABLES
from cl_core.data.views import ViewConfig
from cl_core.device import Precision
from cl_core.encoders import ENCODERS
from cl_core.methods import METHODS


class RunConfig(BaseModel):
    """All that decides the outcome of a training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str = Field("emoji", description=f"pictures to learn from: {', '.join(DATASETS)}")
    method: str = Field("simclr", description=f"network and loss: {', '.join(METHODS)}")
    encoder: str = Field("small-resnet", description=f"picture -> feature h: {', '.join(ENCODERS)}")
    image_size: int = Field(0, ge=0, le=512, description="side of a view in pixels; 0 takes the pictures' own, 28 to 64")
    projection_hidden: int = Field(512, ge=1, le=8192, description="width of the projection head's hidden layer")
    projection_dim: int = Field(128, ge=1, le=4096, description="dimension of the embedding z")
    temperature: float = Field(0.2, gt=0, le=100, description="divides the cosines in the loss")
    epochs: int = Field(40, ge=1, le=100_000, description="times every picture (or group) is seen")
    batch_size: int = Field(256, ge=2, le=65_536, description="pictures a step; each gives two views")
    lr: float = Field(2e-3, gt=0, le=100, description="peak learning rate of AdamW")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="decoupled weight decay of AdamW")
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the steps in which the rate rises; then it falls as a cosine")
    snapshots: int = Field(12, ge=0, le=1000, description="moments at which features are kept and kNN is measured")
    seed: int = Field(0, ge=0, lt=2**31, description="of weights, order and views")
    precision: Precision = Field("auto", description="arithmetic of the step: auto, bf16 or float32")
    views: ViewConfig = Field(default_factory=ViewConfig)

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, value: str) -> str:
        if value in TABLES:
            raise ValueError(f"{value} is a table, choose a set of pictures ({', '.join(DATASETS)})")
        return _one_of(value, DATASETS)

    @field_validator("method")
    @classmethod
    def _known_method(cls, value: str) -> str:
        return _one_of(value, METHODS)

    @field_validator("encoder")
    @classmethod
    def _known_encoder(cls, value: str) -> str:
        return _one_of(value, ENCODERS)


def _one_of(value: str, known: Iterable[str]) -> str:
    if value not in known:
        raise ValueError(f"choose one of {', '.join(known)}")
    return value


RunState = Literal["running", "stopped", "finished", "untrained"]
