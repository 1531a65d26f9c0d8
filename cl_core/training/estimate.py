"""Memory and time of a training run, estimated from its settings before it starts.

The network runs on fake tensors (torch's FakeTensorMode), which have shapes but no values, so an estimate takes a fraction
of a second and little memory. That gives the bytes that autograd saves for each image and the operations of a step; a short
measurement gives the time of an operation on this CPU. Both estimates aim to be right within a factor of 2.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import time
from functools import lru_cache
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_core.data.dataset import Dataset
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.networks.embedding import BATCH, pixel_side
from cl_core.networks.encoders.registry import build_encoder
from cl_core.networks.methods import METHODS, DataShape, Method
from cl_core.runs.config import NO_DRAWINGS, RunConfig
from cl_core.system.device import autocast, bf16_is_fast, choose_device
from cl_core.system.host import cores, memory_gb
from cl_core.system.zero_gpu import gpu_available
from cl_core.training.setup import MAX_WHITENED, check_data, data_shape, image_size, train_size, view_plan

MEMORY_FRACTION = 0.7  # of the machine's memory, for a run on the CPU; the page has the rest
CUDA_FRACTION = 0.95  # of the free GPU memory
# Seconds. The page shows progress at the end of a step, so a run with longer steps would seem to stand still. The command
# line has no such limit.
MAX_STEP_S = 60.0

COUNT = 1009  # images in the pass on fake tensors; a prime, so that sizes that grow with the batch are multiples of it
FLOAT_BYTES = 4
PROGRAM_BYTES = 1.0e9  # of Python, torch and compiled kernels, before the first image; measured on Linux
STATE_COPIES = 3  # the state and the two copies that `Training` can return to
SAVE_COPIES = 5  # while saving: a contiguous copy and one as bytes on top of those
VIEW_COPIES = 3  # of each view: augmented, concatenated, normalized
VIEW_WORK_COPIES = 8  # of each view on an accelerator, which augments all views of a batch at once
GRADIENT_COPIES = 2  # of the largest activation, in the backward pass
FORWARD_COPIES = 3  # of the largest activation, in a forward pass alone
KEY_COPIES = 6  # of the matrix of views and keys: cosines, masked, concatenated, scaled, probabilities, gradient
HARD_COPIES = 10  # of the matrix of all pairs of hcl: cosines, both weighted and masked, and those that autograd saves
WHITENING_COPIES = 7  # of features and of their covariance, as float32: most of them are float64
PIXEL_COPIES = 3  # of all images as float32, when the finished run is compared with raw pixels
OPTIMIZER_MOMENTS = {"adamw": 2, "adam": 2, "sgd": 1, "lars": 1, "muon": 1}  # moments that an optimizer stores for each weight

PASSES = 3  # a backward pass takes twice the operations of the forward pass
NETWORK_EFFICIENCY = 0.75  # fraction of the measured rate that whole networks reach
ATTENTION_SLOWDOWN = 12  # torch's attention on the CPU, relative to a convolution with as many operations
# Seconds on one core:
ACTIVATION_BYTE_S = 2e-9  # for the operations on a byte of an activation that are no products, such as norms
PIXEL_S = 25e-9  # to augment one pixel of a view
PAIR_S = 10e-9  # for the exponentials of a pair of views, forward and backward, blockwise
KEY_S = 50e-9  # for those of a view and a stored key, whose matrix is read from memory
WEIGHT_S = 10e-9  # for the optimizer's update and the copies of one weight
OVERHEAD_S = 0.02  # of any step

Advice = Literal["batch", "keys", "images", "weights", "dataset", "machine"]  # what to reduce, or where to train


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a run needs.

    memory_bytes: peak memory of its process; on a CUDA device, peak memory there.
    seconds_per_step: None on an accelerator, where a step that fits into memory takes seconds at most.
    advice: what to reduce, the largest part of the memory.
    """

    memory_bytes: float
    seconds_per_step: float | None
    advice: Advice


@dataclasses.dataclass(frozen=True)
class _Network:
    """What a method's networks need, in bytes and floating-point operations of one forward pass.

    saved: bytes for each image that autograd saves for the backward pass; largest: the largest tensor of those.
    fixed: bytes saved once a step, whatever the batch. products, attention: operations for each image.
    weights, trained: numbers of all weights and of the trainable ones. stored: bytes of buffers, such as a memory bank.
    """

    saved: float
    largest: float
    fixed: float
    products: float
    attention: float
    weights: int
    trained: int
    stored: int
    features: int


class _Embedding(nn.Module):
    """Encoder and head as one module: views -> embeddings."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, views: Tensor) -> Tensor:
        return self.method.project(self.method.encoder(views))


def _run_shapes(network: _Embedding, size: int, bf16: bool) -> tuple[list[int], dict[Any, int]]:
    """Run a network whose weights are on the device `meta` on `COUNT` fake images of `size` pixels.

    Returns:
        Bytes of each tensor that autograd saves for the backward pass, and operations by function.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode

    saved: dict[int, Tensor] = {}  # by storage; referenced, so that no address is reused

    def save(value: Tensor) -> Tensor:
        saved[value.untyped_storage()._cdata] = value
        return value

    with FakeTensorMode():
        # On "cpu" a network runs the code that real images run; on "meta" there is no autocast.
        state = {
            name: torch.empty(value.shape, dtype=value.dtype).requires_grad_(value.requires_grad)
            for name, value in [*network.named_parameters(), *network.named_buffers()]
        }
        views = torch.empty(COUNT, 3, size, size).contiguous(memory_format=torch.channels_last)
        with (
            FlopCounterMode(display=False) as counter,
            autocast(torch.device("cpu"), "bf16" if bf16 else "float32"),
            torch.autograd.graph.saved_tensors_hooks(save, lambda value: value),
        ):
            torch.func.functional_call(network, state, (views,))
        for value in state.values():
            saved.pop(value.untyped_storage()._cdata, None)
        return [value.untyped_storage().nbytes() for value in saved.values()], counter.get_flop_counts().get("Global", {})


@lru_cache(maxsize=32)
def _network(config: RunConfig, built: int, size: int, shape: DataShape, bf16: bool) -> _Network:
    """What the networks of a run, built for views of `built` pixels, need for views of `size`.

    Raises:
        UserError: there is no such encoder, or not at this size.
    """
    with torch.device("meta"):
        method = METHODS[config.method](build_encoder(config.encoder, built), config, shape).train()
    saved, operations = _run_shapes(_Embedding(method), size, bf16)
    for_images = [size for size in saved if size % COUNT == 0]
    attention = sum(number for function, number in operations.items() if "attention" in str(function))
    weights = list(method.parameters())
    return _Network(
        saved=sum(for_images) / COUNT,
        largest=max(for_images, default=0) / COUNT,
        fixed=sum(saved) - sum(for_images),
        products=(sum(operations.values()) - attention) / COUNT,
        attention=attention / COUNT,
        weights=sum(weight.numel() for weight in weights),
        trained=sum(weight.numel() for weight in weights if weight.requires_grad),
        stored=sum(value.nbytes for value in method.buffers()),
        features=method.encoder.dim,
    )


_rates: dict[bool, float] = {}


def _rate(bf16: bool) -> float:
    """Floating-point operations a second of one thread in a small convolutional block, forward and backward.

    The best that this process has measured, since the machine may be busy now. Takes about 0.1 s.
    """
    channels, side, count = 64, 32, 8

    def spread(*shape: int) -> Tensor:
        values = torch.linspace(-1, 1, math.prod(shape)).view(shape)
        return values.contiguous(memory_format=torch.channels_last).requires_grad_()

    values, weight = spread(count, channels, side, side), spread(channels, channels, 3, 3)
    for _ in range(5):
        started = time.thread_time()  # of this thread alone: other processes may run meanwhile
        with autocast(torch.device("cpu"), "bf16" if bf16 else "float32"):
            out = F.relu(F.batch_norm(F.conv2d(values, weight, padding=1), None, None, training=True))
        out.sum().backward()
        took = time.thread_time() - started
        rate = PASSES * 2 * weight.numel() * side**2 * count / took / torch.get_num_threads()
        _rates[bf16] = max(_rates.get(bf16, 0.0), rate)
    return _rates[bf16]


def _threads() -> int:
    """Threads of a run in a background process."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores(), int(given)) if given.isdecimal() and int(given) > 0 else max(1, cores() - 1)


def _keys(config: RunConfig, shape: DataShape) -> int:
    """Stored keys that each view is compared with."""
    if config.method == "moco":
        return config.queue_size
    return min(config.negatives, shape.instances) if config.method in ("nce-bank", "infonce-bank") else 0


def _pairs(config: RunConfig, batch: int) -> int:
    """Pairs of views that the loss compares; except of hcl they are not all in memory at once."""
    if config.method == "siglip":
        return batch**2
    return (_views(config) * batch) ** 2 if config.method in ("simclr", "supcon", "dcl", "hcl") else 0


def _views(config: RunConfig) -> int:
    return METHODS[config.method].view_count(config)


def _whole_views(config: RunConfig, dataset: Dataset) -> float:
    """Views of each image in a step, a small crop counted by its share of the pixels of another view."""
    plan = view_plan(config, dataset)
    return sum((side / plan[0][0]) ** 2 for side, _ in plan)


def _trained_views(config: RunConfig, dataset: Dataset, batch: int) -> float:
    """Views with a backward pass: MoCo's second view has none."""
    return batch * (1 if config.method == "moco" else _whole_views(config, dataset))


def _target_views(config: RunConfig, batch: int) -> int:
    """Views that a second network encodes without a backward pass."""
    return batch * {"moco": 1, "byol": 2}.get(config.method, 0)


def _image_bytes(size: int) -> float:
    return 3 * size**2 * FLOAT_BYTES


def _step_bytes(config: RunConfig, dataset: Dataset, network: _Network, batch: int, device: torch.device) -> float:
    """Views, maps and their gradients in a training step."""
    view, views = _image_bytes(train_size(config, dataset)), _whole_views(config, dataset)
    step = VIEW_COPIES * view * batch * views
    step += (network.saved + GRADIENT_COPIES * network.largest) * _trained_views(config, dataset, batch)
    return step if device.type == "cpu" else max(step, (views + VIEW_WORK_COPIES) * view * batch)


def _measuring_bytes(config: RunConfig, dataset: Dataset, network: _Network, device: torch.device) -> float:
    """Of a snapshot, of whitening and of the final baseline, between the steps; they take views of the whole size."""
    size, needed = image_size(config, dataset), 0.0
    largest = network.largest * (size / train_size(config, dataset)) ** 2
    if config.snapshots or config.whitening:
        needed = (VIEW_COPIES * _image_bytes(size) + FORWARD_COPIES * largest) * min(BATCH, len(dataset))
    if config.whitening:
        count = min(len(dataset.train), MAX_WHITENED)
        needed += WHITENING_COPIES * FLOAT_BYTES * network.features * (count + network.features)
    if device.type == "cpu" and dataset.labeled:
        needed = max(needed, PIXEL_COPIES * _image_bytes(pixel_side(size, len(dataset))) * len(dataset))
    return needed


def _memory(config: RunConfig, dataset: Dataset, network: _Network, device: torch.device) -> dict[Advice, float]:
    """Bytes of the parts of the peak memory, by what reduces each."""
    shape = data_shape(config, dataset)
    batch = min(config.batch_size, shape.instances)
    step, measuring = _step_bytes(config, dataset, network, batch, device), _measuring_bytes(config, dataset, network, device)
    compared: float = batch * _keys(config, shape) * KEY_COPIES * FLOAT_BYTES
    if config.method == "hcl":
        compared += HARD_COPIES * FLOAT_BYTES * _pairs(config, batch)
    parts: dict[Advice, float] = {"batch": step, "keys": compared} if step + compared > measuring else {"images": measuring}
    state = FLOAT_BYTES * (network.weights + OPTIMIZER_MOMENTS[config.optimizer] * network.trained) + network.stored
    weights = STATE_COPIES * state + FLOAT_BYTES * network.trained + network.fixed
    weights += max(0.0, (SAVE_COPIES - STATE_COPIES) * state - sum(parts.values()))  # saving comes after the step
    program = PROGRAM_BYTES if device.type == "cpu" else 0.0
    images = dataset.images.nbytes
    if config.drawings != NO_DRAWINGS:  # all that match, at most all, are copied into one tensor
        images += images + len(load_dataset(config.drawings)) * dataset.images[0].nbytes
    return parts | {"weights": weights, "dataset": images, "machine": program}


def _seconds(config: RunConfig, dataset: Dataset, network: _Network, bf16: bool) -> float:
    """Seconds of a step on the CPU, with as many threads as a run beside the page has."""
    size, shape = train_size(config, dataset), data_shape(config, dataset)
    batch, views = min(config.batch_size, shape.instances), _whole_views(config, dataset)
    trained_views, keys = _trained_views(config, dataset, batch), batch * _keys(config, shape)
    passes = PASSES * trained_views + _target_views(config, batch)
    compared = PASSES * 2 * config.projection_dim * (_pairs(config, batch) + keys)
    operations = passes * (network.products + ATTENTION_SLOWDOWN * network.attention) / NETWORK_EFFICIENCY + compared
    seconds = operations / _rate(bf16) + ACTIVATION_BYTE_S * network.saved * trained_views
    seconds += PAIR_S * _pairs(config, batch) + KEY_S * keys + PIXEL_S * batch * views * size**2
    seconds += WEIGHT_S * network.weights + OVERHEAD_S
    return seconds / _threads()


def estimate(config: RunConfig, dataset: Dataset, device: torch.device | None = None) -> Cost:
    """What a run with these settings needs on `device`, by default the CPU.

    Takes about 0.3 s; 2 s the first time in a process, when torch loads FakeTensorMode.

    Raises:
        UserError: there is no such encoder, or not at this size.
        RuntimeError, AssertionError: the encoder cannot run on fake tensors.
    """
    device = device or torch.device("cpu")
    bf16 = config.precision == "bf16" or (config.precision == "auto" and bf16_is_fast(device))
    sizes = image_size(config, dataset), train_size(config, dataset)
    network = _network(config, *sizes, data_shape(config, dataset), bf16)
    memory = _memory(config, dataset, network, device)
    seconds = _seconds(config, dataset, network, bf16) if device.type == "cpu" else None
    return Cost(sum(memory.values()), seconds, max(memory, key=lambda name: memory[name]))


def memory_limit() -> int:
    """Bytes that a run on the CPU may take; 0 where the machine's memory is unknown."""
    return int(memory_gb() * 1e9 * MEMORY_FRACTION)


def limit_memory(least: int = 0) -> None:
    """Limit this process's memory, so that work that needs too much fails before the machine, and the page with it, does.

    least: bytes that it may take in any case.
    """
    known = memory_limit()
    if sys.platform == "linux" and known:
        import resource

        most = max(least, known)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _offered(device: torch.device) -> float:
    """Bytes that a run on `device` may take; 0 where that is unknown."""
    if device.type != "cuda":
        return memory_limit()
    try:
        return CUDA_FRACTION * torch.cuda.mem_get_info(device)[0]
    except RuntimeError:
        return 0


def check_affordable(config: RunConfig, dataset: Dataset, device: torch.device | None = None) -> None:
    """Check that this machine can train with these settings, before the run starts.

    Args:
        device: of the run, by default that of `choose_device`. Where a GPU is lent for single calls, its memory is unknown
            between them, so nothing is checked.

    Raises:
        UserError: the run would need too much memory, a step would take longer than `MAX_STEP_S`, or as `check_data`.
    """
    check_data(config, dataset)
    if device is None:
        if not gpu_available():
            return
        device = choose_device()
    try:
        cost = estimate(config, dataset, device)
    except (RuntimeError, AssertionError):  # an encoder that cannot run on fake tensors is not checked
        return
    offered = _offered(device)
    if offered and cost.memory_bytes > offered:
        advice = UserError(f"training.advice.{cost.advice}")
        needed, available = _gigabytes(cost.memory_bytes), _gigabytes(offered)
        raise UserError("training.too_much_memory", needed=needed, offered=available, advice=advice)
    if cost.seconds_per_step is not None and cost.seconds_per_step > MAX_STEP_S:
        raise UserError("training.slow_step", duration=_duration(cost.seconds_per_step), most=f"{MAX_STEP_S:.0f}")


def _gigabytes(number: float) -> str:
    return f"{number / 1e9:,.0f} GB" if number >= 1e10 else f"{number / 1e9:.1f} GB"


def _duration(seconds: float) -> UserError:
    """A duration as part of a message."""
    if seconds >= 2 * 3600:
        return UserError("training.duration.hours", number=f"{seconds / 3600:,.0f}")
    if seconds >= 2 * 60:
        return UserError("training.duration.minutes", number=f"{seconds / 60:,.0f}")
    return UserError("training.duration.seconds", number=f"{seconds:.0f}")
