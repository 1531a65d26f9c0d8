"""Memory and time that a training run will need, estimated from its settings before it starts.

The network is run over images that have shapes but no values (torch's FakeTensorMode), so the estimate of any run takes
a fraction of a second and next to no memory. That gives what autograd keeps for each image, and how many operations a step takes;
a short measurement on this processor says how long those take. Both numbers are meant to be right within a factor of 2.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_core.data.dataset import Dataset
from cl_core.errors import UserError
from cl_core.models.embedding import BATCH
from cl_core.models.encoders.registry import build_encoder
from cl_core.models.methods import METHODS, DataShape, Method
from cl_core.runs.config import RunConfig
from cl_core.system.device import autocast, bf16_is_fast, choose_device
from cl_core.system.host import cores, memory_gb
from cl_core.system.zero_gpu import gpu_is_ours
from cl_core.training.loop import check_data, data_shape, image_size

MEMORY_SHARE = 0.7  # of the machine's memory, for a run on the processor; the page has the rest
CUDA_SHARE = 0.95  # of the GPU memory that is free
# Seconds. The page shows progress at the end of a step, so a run with longer steps would seem to stand still. The command
# line has no such limit.
MOST_STEP_S = 60.0

COUNT = 1009  # images in the run without values; a prime, so that what is a multiple of it is there for each image
FLOAT_BYTES = 4
PROGRAM_BYTES = 1.0e9  # of Python, torch and the kernels it compiles, before the first image; measured on Linux
STATE_COPIES = 3  # the state itself and two copies to go back to (`Training._kept` and `_good`)
SAVE_COPIES = 5  # while it is saved: one copy in order and one as bytes on top of those
VIEW_COPIES = 3  # of each view: as made, concatenated, normalized
VIEW_WORK_COPIES = 8  # of each view on an accelerator, which makes all views of a batch at once
GRADIENT_COPIES = 2  # of the largest activation, in the backward pass
FORWARD_COPIES = 3  # of the largest activation, in a forward pass alone
KEY_COPIES = 6  # of the matrix of views and keys: cosines, masked, joined, scaled, probabilities, gradient
PAIR_BYTES = 3  # of each pair of views, where a loss asks which of them show the same class
PIXEL_COPIES = 3  # of all images as float32, when the finished run is compared with raw pixels
MOMENTS = {"adamw": 2, "adam": 2, "sgd": 1, "lars": 1}  # numbers an optimizer keeps for each weight

PASSES = 3  # a backward pass takes twice the operations of the forward pass
NETWORK_SHARE = 0.75  # of the measured rate that whole networks reach
ATTENTION_SLOWDOWN = 12  # torch's attention on the processor, against a convolution of as many operations
# Seconds on one core:
KEPT_BYTE_S = 2e-9  # for what is done to a byte of an activation besides products, such as norms
PIXEL_S = 25e-9  # to make one pixel of a view
PAIR_S = 10e-9  # for the exponentials of a pair of views, forward and backward, block by block
KEY_S = 50e-9  # for those of a view and a stored key, whose matrix passes through memory
WEIGHT_S = 10e-9  # for the optimizer's step and the copies of one weight
OVERHEAD_S = 0.02  # of any step


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a run needs.

    memory_bytes: the most that its process holds at one moment; on a CUDA device, the most that it holds there.
    seconds_per_step: None on an accelerator, where a step that fits into memory takes seconds.
    advice: which settings to lower, by what takes most of the memory.
    """

    memory_bytes: float
    seconds_per_step: float | None
    advice: str


@dataclasses.dataclass(frozen=True)
class _Network:
    """What a method's networks need, in bytes and floating-point operations of one forward pass.

    kept: for each image, what autograd keeps for the backward pass; largest: for each image, the largest part of that.
    fixed: kept once a step, whatever the batch. products, attention: operations for each image.
    weights, trained: how many there are, and how many of them are trained. stored: of buffers, such as a memory bank.
    """

    kept: float
    largest: float
    fixed: float
    products: float
    attention: float
    weights: int
    trained: int
    stored: int


class _Embedding(nn.Module):
    """Views -> embeddings, as one call."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, views: Tensor) -> Tensor:
        return self.method.project(self.method.encoder(views))


def _run_shapes(network: _Embedding, size: int, bf16: bool) -> tuple[list[int], dict[Any, int]]:
    """Run `COUNT` images of `size` pixels through a network on the device `meta`, without values.

    Returns:
        Bytes of each tensor that autograd keeps for the backward pass, and operations by the function that does them.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode

    kept: dict[int, Tensor] = {}  # one for each storage; held, so that its address is not used again

    def keep(value: Tensor) -> Tensor:
        kept[value.untyped_storage()._cdata] = value
        return value

    with FakeTensorMode():
        # As "cpu" they take the way through the network that real images take; on "meta" there is no autocast.
        state = {
            name: torch.empty(value.shape, dtype=value.dtype).requires_grad_(value.requires_grad)
            for name, value in [*network.named_parameters(), *network.named_buffers()]
        }
        views = torch.empty(COUNT, 3, size, size).contiguous(memory_format=torch.channels_last)
        with (
            FlopCounterMode(display=False) as counter,
            autocast(torch.device("cpu"), "bf16" if bf16 else "float32"),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value),
        ):
            torch.func.functional_call(network, state, (views,))
        for value in state.values():
            kept.pop(value.untyped_storage()._cdata, None)
        return [value.untyped_storage().nbytes() for value in kept.values()], counter.get_flop_counts().get("Global", {})


@lru_cache(maxsize=32)
def _network(config: RunConfig, size: int, shape: DataShape, bf16: bool) -> _Network:
    """What the networks of a run need.

    Raises:
        UserError: there is no such encoder, or not at this size.
    """
    with torch.device("meta"):
        method = METHODS[config.method](build_encoder(config.encoder, size), config, shape).train()
    kept, operations = _run_shapes(_Embedding(method), size, bf16)
    for_images = [size for size in kept if size % COUNT == 0]
    attention = sum(number for function, number in operations.items() if "attention" in str(function))
    weights = list(method.parameters())
    return _Network(
        kept=sum(for_images) / COUNT,
        largest=max(for_images, default=0) / COUNT,
        fixed=sum(kept) - sum(for_images),
        products=(sum(operations.values()) - attention) / COUNT,
        attention=attention / COUNT,
        weights=sum(weight.numel() for weight in weights),
        trained=sum(weight.numel() for weight in weights if weight.requires_grad),
        stored=sum(value.nbytes for value in method.buffers()),
    )


_rates: dict[bool, float] = {}


def _rate(bf16: bool) -> float:
    """Floating-point operations a second of one thread in a small convolutional block, forward and backward.

    The best of what this process has measured: a machine that is busy now is quicker later. Takes about 0.1 s.
    """
    channels, side, count = 64, 32, 8

    def spread(*shape: int) -> Tensor:
        values = torch.linspace(-1, 1, math.prod(shape)).view(shape)
        return values.contiguous(memory_format=torch.channels_last).requires_grad_()

    values, weight = spread(count, channels, side, side), spread(channels, channels, 3, 3)
    for _ in range(5):
        started = time.thread_time()  # of the work alone: others may use the machine meanwhile
        with autocast(torch.device("cpu"), "bf16" if bf16 else "float32"):
            out = F.relu(F.batch_norm(F.conv2d(values, weight, padding=1), None, None, training=True))
        out.sum().backward()
        took = time.thread_time() - started
        rate = PASSES * 2 * weight.numel() * side**2 * count / took / torch.get_num_threads()
        _rates[bf16] = max(_rates.get(bf16, 0.0), rate)
    return _rates[bf16]


def _threads() -> int:
    """Threads that a run beside the page has, whichever process asks."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores(), int(given)) if given.isdecimal() and int(given) > 0 else max(1, cores() - 1)


def _keys(config: RunConfig, shape: DataShape) -> int:
    """Stored keys that each view is compared with."""
    if config.method == "moco":
        return config.queue_size
    return min(config.negatives, shape.instances) if config.method in ("nce-bank", "infonce-bank") else 0


def _pairs(config: RunConfig, batch: int) -> int:
    """Pairs of views that the loss compares; they are never in memory all at once."""
    return (2 * batch) ** 2 if config.method in ("simclr", "supcon") else 0


def _trained_views(config: RunConfig, batch: int) -> int:
    """Views with a backward pass: MoCo's second view has none."""
    return batch * (1 if config.method == "moco" else METHODS[config.method].views)


def _memory(config: RunConfig, dataset: Dataset, network: _Network, device: torch.device) -> dict[str, float]:
    """Bytes by what to choose where they are too many; the values add up."""
    size, shape = image_size(config, dataset), data_shape(config, dataset)
    batch, views = min(config.batch_size, shape.instances), METHODS[config.method].views
    image = 3 * size**2 * FLOAT_BYTES
    step: float = VIEW_COPIES * image * batch * views
    step += (network.kept + GRADIENT_COPIES * network.largest) * _trained_views(config, batch)
    measuring = 0.0  # of a snapshot and of the end, between the steps
    if config.snapshots:
        measuring = (VIEW_COPIES * image + FORWARD_COPIES * network.largest) * min(BATCH, len(dataset))
    if device.type != "cpu":
        step = max(step, (views + VIEW_WORK_COPIES) * image * batch)
    elif dataset.labeled:
        measuring = max(measuring, PIXEL_COPIES * image * len(dataset))
    compared: float = batch * _keys(config, shape) * KEY_COPIES * FLOAT_BYTES
    if config.exclude_false_negatives if config.method == "simclr" else config.sup_con_form == "in-sum":
        compared += PAIR_BYTES * _pairs(config, batch)  # their chance level needs the matrix of all pairs
    if step + compared > measuring:
        parts = {
            "a smaller batch_size or image_size, or a smaller encoder": step,
            "a smaller batch_size, or fewer negatives or a shorter queue": compared,
        }
    else:
        parts = {"a smaller image_size or a smaller encoder": measuring}
    state = FLOAT_BYTES * (network.weights + MOMENTS[config.optimizer] * network.trained) + network.stored
    weights = STATE_COPIES * state + FLOAT_BYTES * network.trained + network.fixed
    weights += max(0.0, (SAVE_COPIES - STATE_COPIES) * state - sum(parts.values()))  # saving comes after the step
    return parts | {
        "a smaller encoder, or a smaller projection_hidden or projection_dim": weights,
        "a smaller collection of images": dataset.images.nbytes,
        "a machine with more memory": PROGRAM_BYTES if device.type == "cpu" else 0.0,
    }


def _seconds(config: RunConfig, dataset: Dataset, network: _Network, bf16: bool) -> float:
    """Of a step on the processor, with as many threads as a run beside the page has."""
    size, shape = image_size(config, dataset), data_shape(config, dataset)
    batch, views = min(config.batch_size, shape.instances), METHODS[config.method].views
    trained_views, keys = _trained_views(config, batch), batch * _keys(config, shape)
    passes = batch * views + (PASSES - 1) * trained_views
    compared = PASSES * 2 * config.projection_dim * (_pairs(config, batch) + keys)
    operations = passes * (network.products + ATTENTION_SLOWDOWN * network.attention) / NETWORK_SHARE + compared
    seconds = operations / _rate(bf16) + KEPT_BYTE_S * network.kept * trained_views
    seconds += PAIR_S * _pairs(config, batch) + KEY_S * keys + PIXEL_S * batch * views * size**2
    seconds += WEIGHT_S * network.weights + OVERHEAD_S
    return seconds / _threads()


def estimate(config: RunConfig, dataset: Dataset, device: torch.device | None = None) -> Cost:
    """What a run with these settings needs on `device`, by default the processor.

    Takes about 0.3 s; 2 s the first time in a process, when torch loads what it needs for that.

    Raises:
        UserError: there is no such encoder, or not at this size.
        RuntimeError, AssertionError: the encoder cannot be run without values.
    """
    device = device or torch.device("cpu")
    bf16 = config.precision == "bf16" or (config.precision == "auto" and bf16_is_fast(device))
    network = _network(config, image_size(config, dataset), data_shape(config, dataset), bf16)
    memory = _memory(config, dataset, network, device)
    seconds = _seconds(config, dataset, network, bf16) if device.type == "cpu" else None
    return Cost(sum(memory.values()), seconds, max(memory, key=lambda name: memory[name]))


def memory_limit() -> int:
    """Bytes that a run on the processor may take; 0 where the machine's memory is not known."""
    return int(memory_gb() * 1e9 * MEMORY_SHARE)


def _offered(device: torch.device) -> float:
    """Bytes that a run on `device` may take; 0 where that is not known."""
    if device.type != "cuda":
        return memory_limit()
    try:
        return CUDA_SHARE * torch.cuda.mem_get_info(device)[0]
    except RuntimeError:
        return 0


def check_affordable(config: RunConfig, dataset: Dataset, device: torch.device | None = None) -> None:
    """Whether this machine can train with these settings: before it starts.

    Args:
        device: which the run will have, by default what `choose_device` chooses. Where a GPU is lent for single calls,
            nothing is known of it between them, so nothing is refused.

    Raises:
        UserError: the run would need too much memory, a step of it would take longer than `MOST_STEP_S`, or as `check_data`.
    """
    check_data(config, dataset)
    if device is None:
        if not gpu_is_ours():
            return
        device = choose_device()
    try:
        cost = estimate(config, dataset, device)
    except (RuntimeError, AssertionError):  # an encoder of timm's that needs values: it is tried
        return
    offered = _offered(device)
    if offered and cost.memory_bytes > offered:
        raise UserError(
            f"This training would need about {_gigabytes(cost.memory_bytes)} of memory and this machine offers "
            f"{_gigabytes(offered)}: choose {cost.advice}."
        )
    if cost.seconds_per_step is not None and cost.seconds_per_step > MOST_STEP_S:
        raise UserError(
            f"A step of this training would take about {_duration(cost.seconds_per_step)}, and the page allows "
            f"{MOST_STEP_S:.0f} s: choose a smaller batch_size or image_size, or a smaller encoder."
        )


def _gigabytes(number: float) -> str:
    return f"{number / 1e9:,.0f} GB" if number >= 1e10 else f"{number / 1e9:.1f} GB"


def _duration(seconds: float) -> str:
    for name, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {name}"
    return f"{seconds:.0f} s"
