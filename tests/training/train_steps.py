"""A few steps of every method, in one process or in each of torchrun's: `train_steps.py OUT`."""

from __future__ import annotations

import sys
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from cl_core.data.registry import load_dataset
from cl_core.networks.methods import TRAINABLE
from cl_core.runs.config import RunConfig
from cl_core.runs.events import StepDone
from cl_core.training.distributed import World, start_processes
from cl_core.training.loop import Training

SETTINGS = {
    "dataset": "digits",
    "encoder": "cnn",
    "image_size": 8,
    "batch_size": 24,
    "optimizer": "sgd",
    "momentum": 0.0,
    "weight_decay": 0.0,
    "warmup": 0.0,
    "schedule": "constant",
    "lr": 0.5,
    "snapshots": 0,
    "precision": "float32",
    "negatives": 50,
    "queue_size": 48,
    "batch_norm_splits": 2,
    "projection_hidden": 16,
    "projection_dim": 8,
}
STEPS = 3
VARIANTS = {name: {"method": name} for name in TRAINABLE} | {
    "moco-one-split": {"method": "moco", "batch_norm_splits": 1},
    "simclr-labels": {"method": "simclr", "exclude_false_negatives": True},
    "supcon-in": {"method": "supcon", "sup_con_form": "in"},
    "vicreg": {"method": "vicreg", "lr": 0.01},  # its gradients are large
    "simclr-four-views": {"method": "simclr", "views": 4, "learn_temperature": True},
    "siglip-learned": {"method": "siglip", "learn_temperature": True},
    "dcl-weighted": {"method": "dcl", "decoupled_sigma": 0.5},
    "simsiam-no-predictor": {"method": "simsiam", "predictor": False},
}


def train(variant: str, world: World) -> dict[str, Tensor]:
    """The first gradient and the weights after `STEPS` steps."""
    config = RunConfig.model_validate(SETTINGS | VARIANTS[variant])
    training = Training(config, load_dataset("digits"), torch.device("cpu"), world)
    found: dict[str, Tensor] = {}
    for event in training.events():
        if not isinstance(event, StepDone):
            continue
        if event.step == 1:
            gradients = {n: p.grad for n, p in training.method.named_parameters() if p.grad is not None}
            found |= {f"{variant}/gradient/{n}": g.clone().contiguous() for n, g in gradients.items()}
        if event.step == STEPS:
            break
    state = {n: v.float().clone(memory_format=torch.contiguous_format) for n, v in training.method.state_dict().items()}
    return found | {f"{variant}/weight/{n}": v for n, v in state.items()}


def main(out: Path) -> None:
    torch.set_num_threads(1)
    with start_processes("cpu") as (world, _):
        found: dict[str, Tensor] = {}
        for variant in VARIANTS:
            found |= train(variant, world)
        safetensors.torch.save_file(found, out / f"{world.size}-{world.rank}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
