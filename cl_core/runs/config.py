"""Settings of a training run. Command-line options, forms of the app and `run.json` are derived from them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cl_core.augment.settings import AugmentConfig
from cl_core.data.bundled import DATASETS, TABLES
from cl_core.data.dataset import DATASET_NAME
from cl_core.errors import refused
from cl_core.losses import SupConForm
from cl_core.networks.encoders.registry import ANY_SIZE, ENCODERS, is_encoder
from cl_core.networks.methods import METHODS, TRAINABLE
from cl_core.system.device import Precision

OptimizerName = Literal["adamw", "adam", "sgd", "lars", "muon"]
ScheduleName = Literal["cosine", "constant", "plateau"]
NO_DRAWINGS = "none"
MIN_VIEW_SIZE = 8  # pixels; the strides of some encoders reduce smaller views to nothing


class RunConfig(BaseModel):
    """All settings that determine the result of a training run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str = Field("emoji", description=f"data set: {', '.join(DATASETS)}, cifar10 or an imported one")
    drawings: str = Field(
        NO_DRAWINGS, description="imported data set with other drawings of the same objects, for views; or none"
    )
    method: str = Field("simclr", description=f"method: {', '.join(TRAINABLE)}")
    encoder: str = Field("small-resnet", description=f"encoder: {', '.join(ENCODERS)}, or timm/ARCHITECTURE/SIDE")
    image_size: int = Field(0, ge=0, le=512, description="side of a view in pixels; 0 takes that of the images, 28 to 64")
    train_size: int = Field(0, ge=0, le=512, description="side of a view in training steps alone; 0 takes image_size")
    projection_hidden: int = Field(512, ge=1, le=8192, description="width of the projection head's hidden layer")
    projection_dim: int = Field(128, ge=1, le=4096, description="dimension of the embedding z")
    projection_last_norm: bool = Field(False, description="end the projection head with a BatchNorm without parameters")
    views: int = Field(2, ge=2, le=16, description="simclr, supcon: views of each image in a step")
    small_views: int = Field(0, ge=0, le=16, description="simclr, supcon: further views of each image in a step, small crops")
    small_size: int = Field(0, ge=0, le=512, description="side of a small crop in pixels; 0: half of that of the other views")
    small_crop_scale: float = Field(0.25, gt=0, le=1, description="largest area of a small crop; the smallest is a fifth of it")
    temperature: float = Field(0.2, gt=0, le=100, description="temperature of the loss")
    learn_temperature: bool = Field(False, description="simclr, dcl, hcl, siglip, supcon: learn the temperature")
    exclude_false_negatives: bool = Field(False, description="simclr: negatives exclude views of the same class (needs labels)")
    decoupled_sigma: float = Field(
        0.0, ge=0, le=100, description="dcl: sigma of the positives' weights, the smaller the more they differ; 0: all are 1"
    )
    hardness: float = Field(0.5, ge=0, le=10, description="hcl: how much more hard negatives count; 0: all equally")
    negative_prior: float = Field(0.01, ge=0, lt=1, description="hcl: probability that a negative shows the anchor's class")
    sup_con_form: SupConForm = Field("out", description="supcon: sum over positives outside or inside the log: out, in or in-sum")
    stop_gradient: bool = Field(True, description="simsiam: no gradient through z; false collapses without projection_last_norm")
    predictor: bool = Field(True, description="simsiam: use a predictor; false collapses without projection_last_norm")
    predictor_hidden: int = Field(64, ge=1, le=8192, description="simsiam, byol: width of the hidden layer of the predictor")
    negatives: int = Field(1024, ge=1, le=1_000_000, description="nce-bank, infonce-bank: negatives drawn from the bank per step")
    bank_momentum: float = Field(0.5, ge=0, lt=1, description="nce-bank, infonce-bank: momentum of the keys in the bank")
    queue_size: int = Field(1024, ge=1, le=1_000_000, description="moco: number of keys in the queue, at least batch_size")
    key_momentum: float = Field(0.99, ge=0, le=1, description="moco, byol: momentum of the key or target encoder")
    batch_norm_splits: int = Field(4, ge=1, le=64, description="moco: parts of a batch that are normalized separately")
    redundancy_weight: float = Field(0.005, ge=0, le=10, description="barlow-twins: weight of the entries off the diagonal")
    invariance_weight: float = Field(25.0, ge=0, le=1000, description="vicreg: weight of the difference of the views")
    variance_weight: float = Field(25.0, ge=0, le=1000, description="vicreg: weight of dimensions that vary too little")
    covariance_weight: float = Field(1.0, ge=0, le=1000, description="vicreg: weight of the covariances")
    whitening: float = Field(0.0, ge=0, le=1, description="whitening of the features after the last step: 0 none, 1 full")
    epochs: int = Field(
        40,
        ge=1,
        le=100_000,
        description="number of epochs; one visits each image (or group) once; a rest that fills no batch is dropped",
    )
    batch_size: int = Field(256, ge=2, le=65_536, description="images per step; the method sets how many views of each")
    optimizer: OptimizerName = Field("adamw", description="adamw, adam, sgd, lars or muon")
    lr: float = Field(2e-3, gt=0, le=10_000, description="peak learning rate")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd, lars and muon")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="weight decay, decoupled in adamw")
    schedule: ScheduleName = Field("cosine", description="learning rate after the warm-up: cosine (to 0), constant or plateau")
    warmup: float = Field(0.05, ge=0, lt=1, description="fraction of the steps in which the learning rate rises to its peak")
    plateau_patience: int = Field(5, ge=0, le=1000, description="plateau: epochs without a lower loss before lr is reduced")
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="plateau: factor applied to lr")
    snapshots: int = Field(12, ge=0, le=1000, description="number of snapshots of the embeddings, each with kNN accuracy")
    seed: int = Field(0, ge=0, lt=2**31, description="random seed of weights, order and views")
    precision: Precision = Field("auto", description="precision of training steps: auto, bf16 or float32")
    compile: bool = Field(False, description="torch.compile the encoder: takes a minute, then steps are up to a third faster")
    augment: AugmentConfig = Field(default_factory=AugmentConfig)

    @model_validator(mode="after")
    def _check_queue_size(self) -> RunConfig:
        if self.method == "moco" and self.queue_size < self.batch_size:
            raise refused("settings.queue_too_small", batch=self.batch_size, queue=self.queue_size)
        return self

    @model_validator(mode="after")
    def _check_train_size(self) -> RunConfig:
        if self.train_size and self.encoder not in ANY_SIZE:
            raise refused("settings.train_size", choices=", ".join(ANY_SIZE))
        if self.small_views and self.encoder not in ANY_SIZE:
            raise refused("settings.small_views", choices=", ".join(ANY_SIZE))
        return self

    @model_validator(mode="after")
    def _check_views(self) -> RunConfig:
        if self.method == "simclr" and self.exclude_false_negatives and self.views + self.small_views > 2:
            raise refused("settings.two_views")
        return self

    @field_validator("image_size", "train_size", "small_size")
    @classmethod
    def _check_image_size(cls, value: int) -> int:
        if 0 < value < MIN_VIEW_SIZE:
            raise refused("settings.image_size", least=MIN_VIEW_SIZE)
        return value

    @field_validator("dataset")
    @classmethod
    def _check_dataset(cls, value: str) -> str:
        if value in TABLES:
            raise refused("settings.table", name=value, choices=", ".join(DATASETS))
        if not DATASET_NAME.fullmatch(value):  # presence on this machine is checked on loading
            raise refused("settings.dataset", choices=", ".join(DATASETS))
        return value

    @field_validator("drawings")
    @classmethod
    def _check_drawings(cls, value: str) -> str:
        if value in (*DATASETS, *TABLES) or not DATASET_NAME.fullmatch(value):
            raise refused("settings.drawings")
        return value

    @field_validator("method")
    @classmethod
    def _check_method(cls, value: str) -> str:
        if value not in METHODS:
            raise refused("settings.one_of", choices=", ".join(TRAINABLE))
        return value

    @field_validator("encoder")
    @classmethod
    def _check_encoder(cls, value: str) -> str:
        if not is_encoder(value):
            raise refused("settings.one_of", choices=", ".join(ENCODERS))
        return value


RunState = Literal["running", "stopped", "finished", "diverged", "untrained"]
