"""One description of every setting: the command line, the app and `run.json` read it from here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cl_core.augment.settings import AugmentConfig
from cl_core.data.bundled import DATASETS, TABLES
from cl_core.data.names import NAME
from cl_core.errors import refused
from cl_core.losses import SupConForm
from cl_core.models.encoders.registry import ENCODERS, is_encoder
from cl_core.models.methods import METHODS, TRAINABLE
from cl_core.system.device import Precision

OptimizerName = Literal["adamw", "adam", "sgd", "lars"]
ScheduleName = Literal["cosine", "constant", "plateau"]
SMALLEST_VIEW = 8  # pixels; below it some encoder has nothing left after its strides


class RunConfig(BaseModel):
    """All that decides the outcome of a training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str = Field("emoji", description=f"images to learn from: {', '.join(DATASETS)}, cifar10 or your own")
    method: str = Field("simclr", description=f"network and loss: {', '.join(TRAINABLE)}")
    encoder: str = Field("small-resnet", description=f"image -> feature h: {', '.join(ENCODERS)}, or timm/ARCHITECTURE/SIDE")
    image_size: int = Field(0, ge=0, le=512, description="side of a view in pixels; 0 takes the images' own, 28 to 64")
    projection_hidden: int = Field(512, ge=1, le=8192, description="width of the projection head's hidden layer")
    projection_dim: int = Field(128, ge=1, le=4096, description="dimension of the embedding z")
    projection_last_norm: bool = Field(False, description="end the projection head with a BatchNorm without parameters")
    temperature: float = Field(0.2, gt=0, le=100, description="divides the cosines in the loss")
    exclude_false_negatives: bool = Field(False, description="simclr: views of the same class are no negatives (needs labels)")
    sup_con_form: SupConForm = Field("out", description="supcon: where the sum over positives stands: out, in or in-sum")
    stop_gradient: bool = Field(True, description="simsiam: no gradient through z; false collapses (if no norm ends the head)")
    predictor: bool = Field(True, description="simsiam: predict z of the other view; false collapses (if no norm ends the head)")
    predictor_hidden: int = Field(64, ge=1, le=8192, description="simsiam: width of the predictor's bottleneck")
    negatives: int = Field(1024, ge=1, le=1_000_000, description="nce-bank, infonce-bank: keys drawn from the bank a step")
    bank_momentum: float = Field(0.5, ge=0, lt=1, description="nce-bank, infonce-bank: share of its old self a key keeps")
    queue_size: int = Field(1024, ge=1, le=1_000_000, description="moco: keys in the queue, at least a batch")
    key_momentum: float = Field(0.99, ge=0, le=1, description="moco: share of its old self the key encoder keeps at a step")
    batch_norm_splits: int = Field(4, ge=1, le=64, description="moco: parts of the batch with batch statistics of their own")
    epochs: int = Field(40, ge=1, le=100_000, description="times every image (or group) is seen")
    batch_size: int = Field(256, ge=2, le=65_536, description="images a step; each gives two views")
    optimizer: OptimizerName = Field("adamw", description="adamw, adam, sgd or lars")
    lr: float = Field(2e-3, gt=0, le=10_000, description="peak learning rate")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd and lars")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="pull of the weights towards 0, decoupled in adamw")
    schedule: ScheduleName = Field("cosine", description="after the warm-up: cosine (to 0), constant or plateau")
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the steps in which the rate rises to its peak")
    plateau_patience: int = Field(5, ge=0, le=1000, description="plateau: epochs without a better loss before the rate falls")
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="plateau: what the rate is multiplied by")
    snapshots: int = Field(12, ge=0, le=1000, description="moments at which features are kept and kNN is measured")
    seed: int = Field(0, ge=0, lt=2**31, description="of weights, order and views")
    precision: Precision = Field("auto", description="arithmetic of the step: auto, bf16 or float32")
    compile: bool = Field(False, description="let torch compile the encoder: a minute's wait, then steps up to a third quicker")
    augment: AugmentConfig = Field(default_factory=AugmentConfig)

    @model_validator(mode="after")
    def _queue_holds_a_batch(self) -> RunConfig:
        if self.method == "moco" and self.queue_size < self.batch_size:
            raise refused("settings.queue_too_small", batch=self.batch_size, queue=self.queue_size)
        return self

    @field_validator("image_size")
    @classmethod
    def _large_enough(cls, value: int) -> int:
        if 0 < value < SMALLEST_VIEW:
            raise refused("settings.image_size", least=SMALLEST_VIEW)
        return value

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, value: str) -> str:
        if value in TABLES:
            raise refused("settings.table", name=value, choices=", ".join(DATASETS))
        if not NAME.fullmatch(value):  # whether it is on this machine is asked when it is needed
            raise refused("settings.dataset", choices=", ".join(DATASETS))
        return value

    @field_validator("method")
    @classmethod
    def _known_method(cls, value: str) -> str:
        return value if value in METHODS else _one_of(value, TRAINABLE)

    @field_validator("encoder")
    @classmethod
    def _known_encoder(cls, value: str) -> str:
        return value if is_encoder(value) else _one_of(value, ENCODERS)


def _one_of(value: str, known: Iterable[str]) -> str:
    if value not in known:
        raise refused("settings.one_of", choices=", ".join(known))
    return value


RunState = Literal["running", "stopped", "finished", "diverged", "untrained"]
